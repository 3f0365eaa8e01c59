"""`bench data` says where datasets are had, checks a folder and notes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_cub
from click.testing import CliRunner, Result

from partbench.cli.data import patterns
from partbench.cli.main import main
from partbench.data_folders import folder_of_config
from partbench.registry import load

pytestmark = pytest.mark.filterwarnings("ignore:cub:UserWarning")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTBENCH_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def bench(*words: str) -> Result:
    return CliRunner().invoke(main, ["data", *words])


def test_info_says_of_every_dataset_where_it_is_had_and_what_it_gives() -> None:
    facts = json.loads(bench("info", "--json").stdout)
    assert set(facts) == set(load().datasets) >= {"animal_part", "celeba", "cub", "fauna", "funnybirds", "pascal_part"}
    for of_one in facts.values():
        assert {"get it from", "download", "licence", "cite", "tasks", "lies in"} <= of_one.keys()
    assert facts["cub"]["train images"] == "5,994"
    assert facts["cub"]["tasks"][1:] == ["cub/multi", "cub/bird"]


def test_info_of_one_dataset_is_of_that_alone_and_unknown_names_get_the_nearest() -> None:
    shown = bench("info", "celeba").stdout
    assert "Deep Learning Face Attributes" in shown
    assert "FunnyBirds" not in shown
    wrong = bench("info", "cup")
    assert wrong.exit_code == 2
    assert "did you mean 'cub'?" in wrong.stderr


def test_info_says_where_a_dataset_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    assert "not known; --data-root DIR, or `bench data add cub DIR`" in bench("info", "cub").stdout
    config.write_text('[data]\ncub = "/birds"\n')
    assert f"/birds ({config})" in bench("info", "cub").stdout
    monkeypatch.setenv("PARTBENCH_DATA", str(tmp_path))
    assert f"{tmp_path} (PARTBENCH_DATA)" in bench("info", "cub").stdout
    assert "needs no folder" in bench("info", "fauna").stdout


def test_many_tasks_of_a_kind_are_one_pattern() -> None:
    logits = [f"d/multi:{i}" for i in range(4)]
    assert patterns([*logits, "d/multi", "d/a", "d/b", "d/attribute-x"]) == [
        "d/multi:* (4 tasks, such as d/multi:0)", "d/multi", "d/a", "d/b", "d/attribute-x",
    ]  # fmt: skip


def test_tasks_against_the_other_categories_are_a_pattern_of_their_own_which_means_them_alone() -> None:
    facts = json.loads(bench("info", "fauna", "--json").stdout)["fauna"]
    of_singles = [text for text in facts["tasks"] if text.startswith(("fauna/*", "fauna/*:others"))]
    assert of_singles == [
        "fauna/* (6 tasks, such as fauna/bird)", "fauna/*:others (6 tasks, such as fauna/bird:others)",
    ]  # fmt: skip


def test_a_folder_is_noted_once_it_is_right_and_then_found_without_naming_it(tmp_path: Path) -> None:
    wrong = bench("add", "cub", str(tmp_path))
    assert wrong.exit_code == 2
    assert "has no images.txt; name the folder CUB_200_2011/" in wrong.stderr
    assert bench("check", "cub").exit_code == 2
    place = tiny_cub.write(tmp_path / "birds")
    added = bench("add", "cub", str(place))
    assert added.exit_code == 0, added.output
    assert "train: 6, published 5,994" in added.stdout
    assert folder_of_config("cub") == place
    rows = {row["name"]: row for row in json.loads(bench("check", "cub", "--json").stdout)}
    assert rows["folder"]["found"] == str(place)
    assert rows["train images"] == {"name": "train images", "status": "ok", "found": "all 6 can be read"}
    assert rows["test"]["status"] == "note"


def test_a_dataset_that_needs_no_folder_is_not_noted() -> None:
    wrong = bench("add", "fauna", "/")
    assert (wrong.exit_code, wrong.stderr) == (2, "bench: fauna needs no folder: it comes with its plugin\n")


def test_broken_data_are_exit_code_1_with_file_and_line(tmp_path: Path) -> None:
    place = tiny_cub.write(tmp_path)
    boxes = place / "bounding_boxes.txt"
    whole = boxes.read_text()
    boxes.write_text(whole.replace("10 11.0", "10 61.0"))
    found = bench("check", "cub", "--data-root", str(place), "--json")
    assert found.exit_code == 1
    rows = {row["name"]: row for row in json.loads(found.stdout)}
    assert rows["test images"]["status"] == "broken"
    assert f"1 of 6 cannot be read: {boxes} line 2: box 61 5 30 20 lies outside" in rows["test images"]["found"]
    assert bench("check", "cub", "--data-root", str(place), "--no-images").exit_code == 0
    boxes.write_text(whole.replace("10 11.0", "10 x"))
    found = bench("check", "cub", "--data-root", str(place), "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)[-1]["found"].startswith(f"{boxes} line 2: x is 'x', expected a number")


def test_the_folder_of_the_command_line_wins_over_environment_and_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    first, second, third = (tiny_cub.write(tmp_path / name) for name in ("a", "b", "c"))
    config.write_text(f'[data]\ncub = "{first}"\n')

    def folder(*words: str) -> str:
        return str(json.loads(bench("check", "cub", "--no-images", "--json", *words).stdout)[0]["found"])

    assert folder() == str(first)
    monkeypatch.setenv("PARTBENCH_DATA", str(second))
    assert folder() == str(second)
    assert folder("--data-root", str(third)) == str(third)
