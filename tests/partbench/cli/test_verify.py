"""Which cells `bench verify` runs again."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from planted_cells import NOON, cell, rows

from partbench.cli.main import main
from partbench.results.acceptance import withdraw
from partbench.results.schema import Cell
from partbench.results.store import write_cell
from partbench.running import verification
from partbench.running.verification import Verification


def bench(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, words)])


def add(results: Path, made: Cell, hours: int = 0) -> str:
    at = NOON + datetime.timedelta(hours=hours)
    return write_cell(results, [r | {"created_at": at} for r in rows([1.0])], made).relative_to(results).as_posix()


def test_cells_whose_data_are_not_here_are_no_disagreement(tmp_path: Path) -> None:
    made = cell(explainer="nn", task="animal_part/multi:cat", dataset="animal_part", options={})
    add(tmp_path / "results", made)
    found = bench(tmp_path / "results", "--jobs", 1)
    assert found.exit_code == 2
    assert "left out: 1 cells in animal_part: " in found.output
    assert "needs --data-root" in found.output.splitlines()[-1]


def test_of_a_folder_the_last_line_says_how_much_of_it_can_be_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [add(tmp_path, cell(seed=seed)) for seed in range(4)]
    withdraw(tmp_path, places[3], "Ann", "wrong")
    monkeypatch.setattr(verification, "not_here", lambda *_: {places[0]: "its code is another"})
    monkeypatch.setattr(verification, "verified", lambda cells, *_: [Verification(place, place) for place in cells])
    found = bench(tmp_path, "--sample", 1)
    assert found.exit_code == 0
    left, other, *_, last = found.output.splitlines()
    assert left == "bench: left out: 1 cells, withdrawn"
    assert other == "bench: left out: 1 cells in fauna: its code is another"
    assert last == f"2 of the 4 cells in {tmp_path} can be verified here; 1 were run"
    assert "all of these were run" in bench(tmp_path).output


def test_a_cell_that_is_named_wrong_ends_in_one_line(tmp_path: Path) -> None:
    place = add(tmp_path / "results", cell())
    found = bench("0000", "--results", tmp_path / "results")
    assert (found.exit_code, len(found.output.splitlines())) == (2, 1)
    moved = (tmp_path / "results" / place).rename(tmp_path / "moved-1.parquet")
    found = bench(moved, "--results", tmp_path / "results")
    assert found.exit_code == 2
    assert f"does not lie where its rows say, at {place}" in found.output


def test_a_bundle_that_is_not_there_is_no_cell(tmp_path: Path) -> None:
    found = bench(tmp_path / "mine.zip")
    assert found.exit_code == 2
    assert f"no bundle '{tmp_path}/mine.zip'; `bench submit" in found.output


def test_what_is_no_cell_is_answered_with_what_is_near(tmp_path: Path) -> None:
    results = tmp_path / "results"
    add(results, cell())
    key = cell().key
    for text, hint in (
        ("srea", f"expected the key of a cell; those of srae are {key}"),
        ("*.parq*", "it is a pattern; expected the key or the file of one cell"),
        (f"{key[:-1]}zz", f"did you mean {key}?"),
    ):
        found = bench(text, "--results", results)
        assert (found.exit_code, len(found.output.splitlines())) == (2, 1)
        assert hint in found.output
    found = bench(tmp_path / "result", "--results", tmp_path / "none")
    assert f"no file or folder '{tmp_path}/result'; did you mean '{results}'?" in found.output
