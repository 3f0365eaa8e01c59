"""Runs of many cells: which are done, and which again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from planted_cells import rows
from toys import toy_task

from partbench import (
    Batch,
    Explainer,
    Explanation,
    Images,
    Metric,
    NotApplicable,
    PerformerOutputs,
    Scores,
    TrainingTask,
)
from partbench.errors import InputError
from partbench.registry import Entry, load
from partbench.results.cell_lock import cell_lock
from partbench.results.store import read_cell, write_cell
from partbench.running.jobs import Campaign, Job, Outcome, job_of


@dataclass
class Moody(Explainer):
    """Raises `error` from `fit` if there is one."""

    name: ClassVar[str] = "moody"
    error: ClassVar[Exception | None] = None
    fitted: ClassVar[int] = 0

    def fit(self, task: TrainingTask) -> None:
        Moody.fitted += 1
        if Moody.error:
            raise Moody.error

    def explain(self, images: Images) -> Explanation:
        return Explanation(scores=images.pixels.mean((2, 3)))


@dataclass
class Count(Metric):
    """The number of images."""

    name: ClassVar[str] = "count"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("scores",)
    images: ClassVar[str] = "all"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0, float("inf"))
    unit: ClassVar[str] = "image"
    seen: int = 0

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        self.seen += len(batch)

    def compute(self) -> dict[str, Scores]:
        return {"count": Scores(value=float(self.seen))}


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    task = toy_task(tmp_path)
    metrics = {"count": Entry("count", Count, "m", "tests", "1")}
    workbench = SimpleNamespace(task=lambda name: task, registry=SimpleNamespace(metrics=metrics))
    job = Job(Entry("moody", Moody, "moody", "tests", "1"), {}, task.name, 0)
    Moody.error, Moody.fitted = None, 0
    yield Campaign(workbench, [job], tmp_path / "results")
    Moody.error = None


def once(campaign: Campaign) -> Outcome:
    [outcome] = campaign
    return outcome


def test_a_finished_cell_is_not_done_again_unless_asked(campaign: Campaign) -> None:
    once(campaign)
    assert once(campaign).run is None
    assert Moody.fitted == 1
    campaign.overwrite = True
    assert once(campaign).run is not None
    assert Moody.fitted == 2


def test_a_failed_cell_is_tried_again_and_replaced(campaign: Campaign) -> None:
    Moody.error = RuntimeError("out of memory")
    path = once(campaign).path
    assert read_cell(path)["reason"].tolist() == ["RuntimeError: out of memory"]
    Moody.error = None
    again = once(campaign)
    assert again.path == path
    assert Moody.fitted == 2
    assert read_cell(path)["status"].tolist() == ["ok"]


def test_a_skipped_cell_is_finished(campaign: Campaign) -> None:
    Moody.error = NotApplicable("no attributes")
    once(campaign)
    assert once(campaign).run is None
    assert Moody.fitted == 1


def test_a_cell_that_another_run_is_doing_is_waited_for_and_not_done_twice(campaign: Campaign) -> None:
    [job] = campaign.jobs
    made = job.cell(campaign.workbench.task(job.task))
    held = threading.Event()

    def other_run() -> None:
        with cell_lock(campaign.results, made):
            held.set()
            time.sleep(0.3)
            write_cell(campaign.results, rows([1.0]), made)

    other = threading.Thread(target=other_run)
    other.start()
    assert held.wait(10)
    assert once(campaign).run is None
    other.join()
    assert Moody.fitted == 0


@pytest.mark.parametrize("options", ["{", "[1]", "", "null", "3"])
def test_options_of_a_cell_that_are_none_are_the_users_mistake(options: str) -> None:
    row = {"options": options, "explainer": "centre_map", "task": "fauna/multi:bird", "seed": 0}
    with pytest.raises(InputError, match="expected a JSON object"):
        job_of(load(), row)


def test_a_cell_of_a_plugin_file_that_is_not_loaded_asks_for_the_file() -> None:
    row = {"options": "{}", "explainer": "mine", "task": "fauna/multi:bird", "seed": 0, "distribution": "mine.py"}
    with pytest.raises(InputError, match=r"'mine' is of the plugin file mine\.py; add --plugin-file"):
        job_of(load(), row)
