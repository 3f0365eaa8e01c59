from __future__ import annotations

import dataclasses
import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.errors import InputError
from partbench.results.schema import COLUMNS, TEXTS, Cell, safe_name, variant
from partbench.results.store import find_cell, finished, read_cell, read_results, write_cell

NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
RUN = {"run_id": "r1", "created_at": NOON, "partbench_version": "0.1.0", "variant": "", "metric_version": "1"}


def cell(**changes: Any) -> Cell:
    usual = Cell(
        explainer="srae",
        distribution="partbench",
        distribution_version="0.1.0",
        options={"beta": 3.0, "profile": "paper", "layers": (64, 5)},
        task="fauna/cat",
        task_version="1",
        dataset="fauna",
        category="cat",
        performer="small_vgg",
        data_fingerprint="f00d",
        seed=0,
    )
    return dataclasses.replace(usual, **changes)


def rows(values: list[float], metric: str = "locality") -> list[dict[str, Any]]:
    usual = {**RUN, "metric": metric, "status": "ok", "higher_is_better": False, "images": len(values)}
    aggregate = {**usual, "unit": "all", "value": float(np.mean(values)), "low": min(values), "high": max(values)}
    return [aggregate, *({**usual, "unit": f"image-{i}", "value": value} for i, value in enumerate(values))]


def test_what_is_written_is_read_back_with_its_types(tmp_path: Path) -> None:
    write_cell(tmp_path, rows([0.25, 1 / 3]), cell(seed=7))
    frame = read_results(tmp_path)
    assert tuple(frame.columns) == COLUMNS
    assert frame["unit"].tolist() == ["all", "image-0", "image-1"]
    assert frame["value"].tolist() == [(0.25 + 1 / 3) / 2, 0.25, float(np.float32(1 / 3))]
    assert frame["low"].isna().tolist() == [False, True, True]
    assert frame["created_at"].iloc[0] == pd.Timestamp(NOON)
    assert (frame["seed"].dtype, frame["images"].dtype) == (np.int32, np.int32)
    assert frame["higher_is_better"].dtype == bool
    assert all(isinstance(frame[name].dtype, pd.CategoricalDtype) for name in TEXTS)
    assert frame["options"].iloc[0] == '{"beta":3.0,"layers":[64,5],"profile":"paper"}'


def test_a_file_lies_under_dataset_and_category_with_its_performer(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell(task="fauna/cat@lite0_head", performer="lite0_head"))
    assert path.parent == tmp_path / "fauna" / "cat@lite0_head"
    assert path.name.startswith("srae-")


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", ".", "..", ".hidden"])
def test_no_name_leads_out_of_the_folder_or_hides(name: str) -> None:
    safe = safe_name(name)
    assert "/" not in safe
    assert safe
    assert not safe.startswith(".")


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


def test_a_variant_names_only_what_differs_from_the_defaults() -> None:
    defaults = {"gradient": "exact", "mask": True, "layers": [64, 5], "rho": 1.0}
    assert variant(defaults, defaults) == ""
    assert variant(defaults | {"layers": (64, 5)}, defaults) == ""
    assert variant(defaults | {"mask": False, "gradient": "paper"}, defaults) == "gradient=paper,mask=false"


def test_a_finished_cell_is_never_rewritten_unless_asked(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    before = path.read_bytes()
    assert write_cell(tmp_path, rows([2.0]), cell()) == path
    assert path.read_bytes() == before
    write_cell(tmp_path, rows([2.0]), cell(), overwrite=True)
    assert read_cell(path)["value"].tolist() == [2.0]


def test_a_crash_before_the_rename_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(source: object, target: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write_cell(tmp_path, rows([1.0]), cell())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert finished(tmp_path, cell()) is None


def test_a_crash_while_overwriting_keeps_the_old_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    monkeypatch.setattr(os, "replace", lambda source, target: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(InputError, match="No space left"):
        write_cell(tmp_path, rows([2.0]), cell(), overwrite=True)
    assert read_cell(path)["value"].tolist() == [1.0]
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_cell_is_finished_only_if_its_file_is_readable(tmp_path: Path) -> None:
    assert finished(tmp_path, cell()) is None
    path = write_cell(tmp_path, rows([1.0]), cell())
    assert finished(tmp_path, cell()) == path
    path.write_bytes(path.read_bytes()[:-20])
    assert finished(tmp_path, cell()) is None
    write_cell(tmp_path, rows([3.0]), cell())
    assert read_cell(path)["value"].tolist() == [3.0]


def test_a_folder_that_cannot_be_written_is_the_users_mistake_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where the folder should be")
    with pytest.raises(InputError) as caught:
        write_cell(tmp_path / "results", rows([1.0]), cell())
    assert str(tmp_path / "results") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_files_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_cell(tmp_path, rows([1.0]), cell(seed=1))
    truncated = write_cell(tmp_path, rows([2.0]), cell(seed=2))
    truncated.write_bytes(truncated.read_bytes()[:400])
    other = tmp_path / "fauna" / "cat" / "other-schema.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(other)
    with pytest.warns(UserWarning, match="ignored") as caught:
        frame = read_results(tmp_path)
    assert frame["seed"].unique().tolist() == [1]
    for path in (truncated, other):
        assert any(str(path) in str(warning.message) for warning in caught)


def test_a_flipped_byte_among_the_values_is_noticed(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows(list(np.random.default_rng(0).normal(size=500))), cell())
    column = pq.ParquetFile(path).metadata.row_group(0).column(COLUMNS.index("value"))
    damaged = bytearray(path.read_bytes())
    damaged[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match=path.name):
        assert read_results(tmp_path).empty


def test_a_column_of_another_type_is_named(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    table = pq.read_table(path)
    place = table.schema.get_field_index("seed")
    pq.write_table(table.set_column(place, "seed", table["seed"].cast("string")), path)
    with pytest.warns(UserWarning, match="seed"):
        assert read_results(tmp_path).empty


def test_an_empty_folder_gives_an_empty_frame_with_all_columns(tmp_path: Path) -> None:
    frame = read_results(tmp_path / "nothing", aggregates_only=True)
    assert frame.empty
    assert tuple(frame.columns) == COLUMNS


def test_only_aggregates_are_read_when_only_they_are_asked_for(tmp_path: Path) -> None:
    for seed in range(3):
        write_cell(tmp_path, rows([1.0, 2.0]) + rows([3.0, 5.0], metric="accuracy"), cell(seed=seed))
    frame = read_results(tmp_path, aggregates_only=True)
    assert set(frame["unit"]) == {"all"}
    assert sorted(frame["value"]) == [1.5] * 3 + [4.0] * 3


def test_only_the_folders_of_named_datasets_are_read(tmp_path: Path) -> None:
    write_cell(tmp_path, rows([1.0]), cell())
    write_cell(tmp_path, rows([2.0]), cell(task="animal part/cat", dataset="animal part"))
    (tmp_path / "fauna" / "torn.parquet").write_bytes(b"PAR1")
    assert set(read_results(tmp_path, datasets=["animal part"])["dataset"]) == {"animal part"}
    with pytest.warns(UserWarning, match=r"torn\.parquet"):
        assert len(read_results(tmp_path, datasets=["fauna", "animal part"])) == 4
    assert read_results(tmp_path, datasets=[]).empty


def test_a_skipped_metric_leaves_a_row_with_its_reason(tmp_path: Path) -> None:
    row = {**RUN, "metric": "locality", "unit": "all", "value": None, "status": "skipped", "reason": "no maps"}
    write_cell(tmp_path, [row], cell())
    found = read_results(tmp_path).iloc[0]
    assert (found["status"], found["reason"], np.isnan(found["value"])) == ("skipped", "no maps", True)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"colour": "red"}, "colour"), ({"metric": None}, "lack metric"), ({"seed": 5}, "seed '5', expected '0'")],
)
def test_rows_that_do_not_fit_the_cell_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_cell(tmp_path, [{**rows([1.0])[0], **change}], cell())


def test_two_thousand_rows_of_noise_take_less_than_fifteen_kilobytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    every = [row for i in range(8) for row in rows(list(random.normal(size=249)), metric=f"metric_{i}")]
    assert len(every) == 2000
    assert write_cell(tmp_path, every, cell()).stat().st_size < 15_000


def test_a_cell_is_found_by_the_beginning_of_its_key_or_by_its_file(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell(seed=4))
    assert find_cell(tmp_path, cell(seed=4).key[:6])["seed"] == 4
    assert find_cell(tmp_path, str(path))["explainer"] == "srae"
    with pytest.raises(InputError, match="no cell 'zzz'"):
        find_cell(tmp_path, "zzz")
    write_cell(tmp_path, rows([1.0]), cell(seed=5))
    with pytest.raises(InputError, match="could be 2 cells"):
        find_cell(tmp_path, "")
