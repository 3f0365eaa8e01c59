"""What a Dask worker does for a step, as far as no cluster is needed; tests of the engine do the rest."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from partbench.running.cell_job import Setting, plain
from partbench.running.dask_task import Cancelled, StepReporter, network_step, versions_here


def test_a_folder_that_is_missing_on_the_worker_is_named(tmp_path: Path) -> None:
    for name in ("data_root", "other"):
        setting = Setting("results", **{name: str(tmp_path / "none")})  # type: ignore[arg-type]
        found = versions_here(plain(setting), {}, "topic")
        assert found == {"fault": f"it has no folder '{tmp_path}/none'; give a path that exists on all workers"}


def test_the_network_of_a_cell_is_the_fit_of_its_explainer() -> None:
    step = {"name": "cell ab", "request": {"do": "cell", "job": {}}, "label": "x", "group": "g"}
    assert network_step(step) == {**step, "name": "network ab", "request": {"do": "fit", "job": {}}}


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Any:
    distributed = pytest.importorskip("distributed", reason="needs the extra partbench[cluster]")
    events: list[tuple[str, dict[str, Any]]] = []
    tasks, status = {"key": SimpleNamespace(state="executing")}, SimpleNamespace(name="running")
    found = SimpleNamespace(
        get_current_task=lambda: "key",
        log_event=lambda topic, event: events.append((topic, event)),
        events=events,
        state=SimpleNamespace(tasks=tasks),
        status=status,
    )
    monkeypatch.setattr(distributed, "get_worker", lambda: found)
    return found


def test_a_step_that_nobody_wants_is_left(worker: Any) -> None:
    reporter = StepReporter("topic", 3)
    reporter.tick()
    worker.status.name = "closing"
    with pytest.raises(Cancelled):
        reporter.tick()
    worker.status.name = "running"
    worker.state.tasks["key"].state = "cancelled"
    with pytest.raises(Cancelled):
        reporter.tick()
    worker.state.tasks.clear()
    with pytest.raises(Cancelled):
        reporter.tick()


def test_progress_is_sent_about_once_a_second(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    reporter = StepReporter("topic", 3)
    reporter.began(0, "preparing")
    for now in (100.5, 100.9, 101.2, 101.3):
        reporter.progress(0, "fitting", int(10 * now), 2000)
    told = [(topic, event["slot"], event["what"], event["done"]) for topic, event in worker.events]
    assert told == [("topic", 3, "preparing", 0), ("topic", 3, "fitting", 1012)]
