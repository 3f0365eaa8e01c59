"""What a run will take, from earlier cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from planted_cells import cell, rows

from partbench.results.schema import Cell
from partbench.results.store import write_cell
from partbench.running.cell_job import CellJob, Setting
from partbench.running.engine import Plan, PlannedCell
from partbench.running.expectation import Expected, disk_lines, expected, wall_seconds


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


def test_what_will_lie_on_disk_is_said_once_for_each_performer_with_cells_to_do(tmp_path: Path) -> None:
    layers = [["expand11", 1800 << 20, "asked"], ["pool", 17 << 20, "shared"], ["fc", 13 << 20, "shared"]]
    described = {"of": "lite0 on animal_part", "name": "a", "layers": layers}
    known = {"of": "small_vgg on fauna", "name": "b", "layers": [["conv4", 300_000, "before"]]}
    cells = [
        replace(planned(cell(seed=seed), tmp_path, finished), activations=one)
        for seed, (one, finished) in enumerate(((described, False), (described, False), (known, False), (known, True)))
    ]
    assert disk_lines(Plan(cells, [], (), ())) == [
        "activations of lite0 on animal_part on disk: 30 MB to be stored (pool 17 MB, fc 13 MB), "
        "1800 MB more where an explainer asks for it (expand11)",
        "activations of small_vgg on fauna on disk: 0.3 MB stored (conv4)",
    ]
    assert disk_lines(Plan(cells[3:], [], (), ())) == []
