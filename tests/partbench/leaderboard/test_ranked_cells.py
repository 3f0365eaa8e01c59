"""Which cells of a folder boards rank."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from planted_cells import NOON, cell, rows

from partbench.errors import InputError
from partbench.leaderboard.ranked_cells import ranked_cells
from partbench.results.acceptance import withdraw
from partbench.results.schema import Cell
from partbench.results.store import write_cell


def add(results: Path, made: Cell, hours: int = 0) -> str:
    at = NOON + datetime.timedelta(hours=hours)
    return write_cell(results, [r | {"created_at": at} for r in rows([1.0])], made).relative_to(results).as_posix()


def test_older_and_withdrawn_cells_are_counted_by_why_and_damaged_files_named(tmp_path: Path) -> None:
    add(tmp_path, cell(plugin_digest="old"))
    newer = add(tmp_path, cell(plugin_digest="new"), hours=1)
    gone = add(tmp_path, cell(explainer="gone"))
    withdraw(tmp_path, gone, "Ann", "wrong")
    damaged = add(tmp_path, cell(explainer="damaged"))
    (tmp_path / damaged).write_bytes(b"PAR1")
    found = ranked_cells(tmp_path)
    assert (list(found.rows["file"]), found.unreadable, found.total) == ([newer], [damaged], 4)
    assert found.others == {"older than another of their explainer, options, task and seed": 1, "withdrawn": 1}


def test_a_folder_without_cells_ends_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder of results"):
        ranked_cells(tmp_path)
    withdraw(tmp_path, add(tmp_path, cell()), "Ann", "wrong")
    with pytest.raises(InputError, match="that boards rank; of 1 cells 1 are withdrawn; name one by its key"):
        ranked_cells(tmp_path)
