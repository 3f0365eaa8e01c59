"""Which cells `bench verify` runs again."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from planted_cells import NOON, cell, rows

from partbench.cli.main import main
from partbench.cli.verify import _places_in
from partbench.errors import InputError
from partbench.results.acceptance import withdraw
from partbench.results.schema import Cell
from partbench.results.store import write_cell


def bench(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, words)])


def add(results: Path, made: Cell, hours: int = 0) -> str:
    at = NOON + datetime.timedelta(hours=hours)
    return write_cell(results, [r | {"created_at": at} for r in rows([1.0])], made).relative_to(results).as_posix()


def test_of_a_folder_cells_that_boards_rank_are_verified_and_damaged_ones_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(tmp_path, cell(plugin_digest="old"))
    newer = add(tmp_path, cell(plugin_digest="new"), hours=1)
    gone = add(tmp_path, cell(explainer="gone"))
    withdraw(tmp_path, gone, "Ann", "wrong")
    damaged = add(tmp_path, cell(explainer="damaged"))
    (tmp_path / damaged).write_bytes(b"PAR1")
    assert _places_in(tmp_path) == sorted([damaged, newer])
    assert "left out: 2 cells of older code, self-reported or withdrawn" in capsys.readouterr().err


def test_a_folder_without_cells_ends_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cells in"):
        _places_in(tmp_path)


def test_cells_whose_data_are_not_here_are_no_disagreement(tmp_path: Path) -> None:
    made = cell(explainer="nn", task="animal_part/multi:cat", dataset="animal_part", options={})
    add(tmp_path / "results", made)
    found = bench(tmp_path / "results", "--jobs", 1)
    assert found.exit_code == 2
    assert "not verified: 1 cells in animal_part" in found.output
    assert "needs --data-root" in found.output.splitlines()[-1]


def test_a_cell_that_is_named_wrong_ends_in_one_line(tmp_path: Path) -> None:
    place = add(tmp_path / "results", cell())
    found = bench("0000", "--results", tmp_path / "results")
    assert (found.exit_code, len(found.output.splitlines())) == (2, 1)
    moved = (tmp_path / "results" / place).rename(tmp_path / "moved-1.parquet")
    found = bench(moved, "--results", tmp_path / "results")
    assert found.exit_code == 2
    assert f"does not lie where its rows say, at {place}" in found.output
