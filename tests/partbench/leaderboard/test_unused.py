from __future__ import annotations

import datetime
from pathlib import Path

from planted_cells import NOON, cell, rows

from partbench.leaderboard.unused import unused_cells
from partbench.results.store import ask_again, load_results, write_cell

LATER = {"created_at": NOON + datetime.timedelta(hours=1)}


def test_cells_of_older_code_of_older_tasks_and_of_older_metrics_are_unused(tmp_path: Path) -> None:
    old_code = cell(plugin_digest="old")
    old_task = cell(task_version="0", seed=1)
    old_metric = cell(seed=2)
    write_cell(tmp_path, [row | {"metric_version": "2"} for row in rows([1.0])], old_code)
    write_cell(tmp_path, [row | {"metric_version": "2"} | LATER for row in rows([1.0])], cell(plugin_digest="new"))
    write_cell(tmp_path, rows([1.0]), old_task)
    write_cell(tmp_path, rows([1.0]), old_metric)
    found = unused_cells(load_results(tmp_path))
    unused = [old_code, old_task, old_metric]
    assert sorted(found["file"]) == sorted(str(one.path(tmp_path).relative_to(tmp_path)) for one in unused)
    ask_again(tmp_path, old_code)
    found = unused_cells(load_results(tmp_path))
    assert str(cell(plugin_digest="new").path(tmp_path).relative_to(tmp_path)) in set(found["file"])


def test_failed_and_skipped_cells_are_used(tmp_path: Path) -> None:
    write_cell(tmp_path, [row | {"status": "failed", "value": None} for row in rows([1.0])[:1]], cell())
    assert unused_cells(load_results(tmp_path)).empty
