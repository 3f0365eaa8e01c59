"""Watching a worker: when one that has not come up is given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from partbench.running.cell_job import Limits
from partbench.running.worker_process import STARTING, WorkerProcess


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerProcess]:
    """A worker that was started three minutes ago and has not come up."""
    worker = WorkerProcess(tmp_path / "log", Limits())
    worker.began -= STARTING + 1
    worker._stirred -= STARTING + 1
    yield worker
    worker.end()


@pytest.mark.parametrize(("used", "given_up"), [(0.0, True), (2.5, False), (STARTING + 1, True)])
def test_a_worker_that_does_not_come_up_is_given_up_unless_it_gets_some_cpu_time(
    used: float, given_up: bool, worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker._watched, "cpu_times", lambda: SimpleNamespace(user=used, system=0.0))
    found = worker.overstepped()
    assert ("the worker has not come up within" in found) is given_up, found


def test_a_slow_worker_that_gets_no_cpu_time_any_more_is_given_up(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker._watched, "cpu_times", lambda: SimpleNamespace(user=2.5, system=0.5))
    assert worker.overstepped() == ""
    worker._stirred -= STARTING + 1
    assert "has not come up" in worker.overstepped()
