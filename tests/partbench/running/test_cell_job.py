"""Cells as plain data: they survive JSON, and tell what a run needs."""

from __future__ import annotations

import json

import pytest

from partbench.running.cell_job import CellJob, CellOutcome, Setting, plain

SETTING = Setting("/r", ("/a.py", "/b.py"), other="/o", without={"bad": "it exits"})
JOB = CellJob("srae", {"epochs": "3"}, "fauna/multi:bird", 2**64 - 1, SETTING)
OUTCOME = CellOutcome(
    JOB, "done", "/r/cell.parquet", seconds=0.1 + 0.2, failed_metrics={"accuracy": "it raised"}, pictures=("a.png",),
    notes=("no pictures",), columns={"seed": 1},
)  # fmt: skip


@pytest.mark.parametrize("record", [SETTING, JOB, OUTCOME], ids=lambda record: type(record).__name__)
def test_a_record_is_the_same_after_json(record: Setting | CellJob | CellOutcome) -> None:
    assert type(record).of(json.loads(json.dumps(plain(record)))) == record


def test_a_cell_has_failed_if_one_of_its_metrics_has() -> None:
    assert OUTCOME.failed
    assert not CellOutcome(JOB, "done").failed
    assert not CellOutcome(JOB, "skipped").failed
    assert CellOutcome(JOB, "failed").failed


def test_runs_have_ids_of_their_own() -> None:
    assert Setting("/r").run_id != Setting("/r").run_id
