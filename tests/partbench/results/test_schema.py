from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from planted_cells import cell, rows

from partbench.errors import InputError
from partbench.results.schema import Cell, check_seed, label, picture_path, safe_name, slug, variant
from partbench.results.store import write_cell


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", ".", "..", ".hidden"])
def test_no_name_leads_out_of_the_folder_or_hides(name: str) -> None:
    safe = safe_name(name)
    assert "/" not in safe
    assert safe
    assert not safe.startswith(".")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("multi", "multi"),
        ("multi:black_footed_albatross", "multi.black_footed_albatross"),
        ("bird:others@vgg_16", "bird.others@vgg_16"),
        ("cat@timm:resnet18", "cat@timm.resnet18"),
    ],
)
def test_a_usual_name_of_a_task_can_be_read_in_its_slug(name: str, expected: str) -> None:
    assert slug(name) == expected


names = st.text(st.sampled_from("aAbß.:/@_~ -é\\ \0"), max_size=6) | st.text(max_size=12)


@given(names, names)
@example("a:b", "a.b")
@example("a/b", "a:b")
@example("multi:Cat", "multi:cat")
@example("a:", "a")
@example("", "_")
@settings(max_examples=300, deadline=None)
def test_different_names_have_different_slugs_ignoring_case(one: str, two: str) -> None:
    assert (slug(one).casefold() == slug(two).casefold()) == (one == two)


@given(names)
def test_a_slug_is_one_visible_part_of_a_path(name: str) -> None:
    made = slug(name)
    assert Path(made).name == made
    assert not made.startswith(".")
    assert not made.endswith(".")
    assert not set(made) & set("\0/:\\")


def test_a_file_lies_under_the_slugs_of_dataset_and_task_and_its_picture_likewise() -> None:
    made = cell(task="fauna/multi:cat@lite0", performer="lite0", explainer="my.srae")
    place = Path("fauna") / "multi.cat@lite0" / f"my.srae-{made.key}"
    assert made.path(Path("results")) == Path("results") / f"{place}.parquet"
    assert picture_path(Path("pictures"), made.columns) == Path("pictures") / f"{place}.png"


def test_a_label_shows_the_options_that_differ() -> None:
    assert label("srae") == "srae"
    assert label("srae", "beta=1.0") == "srae (beta=1.0)"


options = st.dictionaries(
    st.text(min_size=1, max_size=5), st.integers() | st.booleans() | st.text(max_size=3), max_size=5
)


@given(options, st.randoms())
@settings(max_examples=25, deadline=None)
def test_the_key_does_not_depend_on_the_order_of_options(given_options: dict[str, Any], random: Any) -> None:
    items = list(given_options.items())
    random.shuffle(items)
    assert cell(options=dict(items)).key == cell(options=given_options).key


@given(options, options, st.integers(0, 99), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_keys_agree_only_if_options_and_seeds_do(one: dict[str, Any], two: dict[str, Any], a: int, b: int) -> None:
    def typed(given_options: dict[str, Any]) -> set[tuple[str, type, Any]]:  # 1 and True are equal, but other options
        return {(name, type(value), value) for name, value in given_options.items()}

    assert (cell(options=one, seed=a).key == cell(options=two, seed=b).key) == ((typed(one), a) == (typed(two), b))


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Cell) if f.name not in ("options", "seed")])
def test_the_key_depends_on_all_that_identifies_a_cell_but_not_on_what_the_task_already_says(field: str) -> None:
    said_by_task = field in ("dataset", "category")
    assert (cell(**{field: "another"}).key == cell().key) == said_by_task


def test_a_new_version_with_the_same_code_has_the_same_key_and_changed_code_another() -> None:
    old = cell(plugin_digest="c0de")
    assert dataclasses.replace(old, plugin_version="9").key == old.key
    assert dataclasses.replace(old, plugin_digest="f00d").key != old.key


def test_a_variant_names_only_what_differs_from_the_defaults() -> None:
    defaults = {"gradient": "exact", "mask": True, "layers": [64, 5], "rho": 1.0}
    assert variant(defaults, defaults) == ""
    assert variant(defaults | {"layers": (64, 5)}, defaults) == ""
    assert variant(defaults | {"mask": False, "gradient": "paper"}, defaults) == "gradient=paper,mask=false"


@pytest.mark.parametrize("seed", [0, 7, 2**63, 2**64 - 1, np.uint64(5)])
def test_a_seed_is_any_whole_number_of_64_bits(seed: int) -> None:
    assert check_seed(seed) == seed
    assert type(check_seed(seed)) is int


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "3", None, True])
def test_other_seeds_are_the_users_mistake(seed: object) -> None:
    with pytest.raises(InputError, match="expected a whole number from 0 to 18446744073709551615"):
        check_seed(seed)


def test_seeds_that_differ_in_one_bit_have_different_keys() -> None:
    assert len({cell(seed=2**bit).key for bit in range(64)}) == 64


@pytest.mark.parametrize("name", ["a" * 5000, "漢" * 300, "a" * 119 + "漢"])
def test_long_names_are_parts_of_paths_that_a_file_system_takes(tmp_path: Path, name: str) -> None:
    for part in (safe_name(name), slug(name)):
        (tmp_path / part).mkdir(exist_ok=True)
    assert safe_name(name) != safe_name(name + "b")
    assert cell(explainer=name, task=f"fauna/{name}").path(tmp_path).relative_to(tmp_path).parts[0] == "fauna"
    write_cell(tmp_path, rows([1.0]), cell(explainer=name, task=f"fauna/{name}"))


HOSTILE = ["../../../etc/x", "/etc/x", "a/b", "..", "", ".", "a\x00b", "a\nb", "\u202e", "c:\\x", "\ud800"]


@pytest.mark.parametrize("column", ["dataset", "task", "explainer", "cell"])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_result_leaves_the_folder_of_pictures(tmp_path: Path, column: str, text: str) -> None:
    path = picture_path(tmp_path, cell().columns | {column: text})
    parts = path.relative_to(tmp_path).parts
    assert len(parts) == 3
    assert not {"", ".", ".."} & set(parts)
    assert path.name.isprintable()
    assert path.resolve().is_relative_to(tmp_path.resolve())
