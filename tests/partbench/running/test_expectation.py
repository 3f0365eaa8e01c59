"""What a run will take, from earlier cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_cells import cell, rows

from partbench.results.schema import Cell
from partbench.results.store import write_cell
from partbench.running.cell_job import CellJob, Setting
from partbench.running.engine import Plan, PlannedCell
from partbench.running.expectation import Expected, expected, wall_seconds


def planned(identity: Cell, folder: Path, finished: bool = False) -> PlannedCell:
    job = CellJob(identity.explainer, {}, identity.task, identity.seed, Setting(str(folder)))
    return PlannedCell(job, identity, str(identity.path(folder)), finished, "group")


def earlier(folder: Path, seconds: float, seed: int) -> Cell:
    identity = cell(seed=seed)
    of_cell = {"fit_seconds": seconds, "explain_seconds": 1.0, "score_seconds": 0.5}
    aggregates = [row | of_cell for metric in ("a", "a@x", "b") for row in rows([0.5], metric)[:1]]
    write_cell(folder, aggregates, identity)
    return identity


def test_a_cell_is_expected_to_take_the_median_of_earlier_ones(tmp_path: Path) -> None:
    known = [earlier(tmp_path, seconds, seed) for seed, seconds in enumerate((1.0, 100.0, 3.0))]
    cells = [
        planned(known[0], tmp_path, finished=True),
        planned(cell(seed=7), tmp_path),
        planned(cell(seed=8), tmp_path),
    ]
    [found] = expected(Plan(cells, [], (), ()), tmp_path)
    assert (found.cells, found.waiting) == (3, 2)
    assert found.seconds == pytest.approx(3.0 + 1.0 + 2 * 0.5)
    assert found.size == pytest.approx(known[0].path(tmp_path).stat().st_size, rel=0.05)


def test_without_an_earlier_cell_nothing_is_known(tmp_path: Path) -> None:
    [found] = expected(Plan([planned(cell(), tmp_path)], [], (), ()), tmp_path)
    assert (found.seconds, found.size) == (None, None)
    assert wall_seconds([found], 2) is None


def test_workers_share_the_time() -> None:
    found = [
        Expected("a", "d", 3, 2, 10.0, 1.0),
        Expected("b", "d", 4, 4, 5.0, 1.0),
        Expected("c", "d", 1, 0, None, None),
    ]
    assert wall_seconds(found, 1) == 40.0
    assert wall_seconds(found, 2) == 20.0
