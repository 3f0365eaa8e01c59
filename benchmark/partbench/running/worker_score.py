"""A metric added to a finished cell, in a worker: the explanations are made again, the other rows stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partbench.opening import Workbench
from partbench.plugin.dataset import Progress
from partbench.plugin.metric import Metric
from partbench.results.amendment import amend
from partbench.results.cell_lock import cell_lock
from partbench.results.store import read_cell, with_metric
from partbench.running.cell import CellRun, run_cell
from partbench.running.cell_job import CellJob, CellOutcome
from partbench.running.failure import print_traceback
from partbench.running.jobs import Job
from partbench.running.scoring import Row
from partbench.task import Task
from partbench.weight_cache import WeightsAbsent

# What is measured of the whole cell, and when it was made: pages show a cell by this time.
_OF_CELL = ("created_at", "fit_seconds", "explain_seconds", "peak_memory_mb", "variant", "control", "compared_with",
            "deterministic", "network")  # fmt: skip


@dataclass(frozen=True)
class MetricRequest:
    """The metric to add, the file of the cell and its key, and who adds it, for the history of a submitted cell.

    `refit`: whether weights that are not in the cache are trained.
    """

    metric: str
    path: str
    cell: str
    refit: bool
    by: str = "unknown"


def score_job(
    job: CellJob, wanted: MetricRequest, workbench: Workbench, progress: Progress | None = None
) -> tuple[CellOutcome, bool]:
    """Add the metric to the cell; whether other cells may run in this process afterwards is the second value.

    The outcome is "done" if rows were added, also where the metric does not apply; "finished before" if the cell has
    the metric in its present version; "failed", with the reason, if the cell lacks it still. Raises InputError for an
    unknown metric or explainer.
    """
    metric = workbench.registry.find("metrics", wanted.metric).cls()
    planned = Job.of(job, workbench.registry)
    task = workbench.task(job.task).with_seed(job.seed)
    cell, path = planned.cell(task), Path(wanted.path)
    if cell.key != wanted.cell:
        why = "its code, options, data or network are not those of the cell; run it again"
        return CellOutcome(job, "failed", str(path), why, columns=cell.columns), True
    with cell_lock(Path(job.setting.results), cell, wait=True):
        known = read_cell(path)
        if _has(known, metric):
            return CellOutcome(job, "finished before", str(path), columns=cell.columns), True
        run = run_cell(planned.explainer(), task, [metric], progress, (), train=wanted.refit)
        reason = _fault(run, metric)
        if not reason:
            rows = _rows(run, metric, known.iloc[0], _stamp(planned, workbench, job, task))
            place = path.relative_to(job.setting.results).as_posix()
            amend(Path(job.setting.results), place, with_metric(path, rows, cell), wanted.by, f"{metric.name} added")
    outcome = CellOutcome(job, "failed" if reason else "done", str(path), reason or run.skipped, columns=cell.columns)
    return outcome, not run.spoilt


def _has(known: Any, metric: Metric) -> bool:
    own = known[(known["metric"] == metric.name) & (known["metric_version"] == metric.version)]
    return bool(len(own) and not (own["status"] == "failed").any())


def _fault(run: CellRun, metric: Metric) -> str:
    """Why nothing is added; "" if something is."""
    if isinstance(run.error, WeightsAbsent):
        return f"{run.error}; --refit trains them"
    if run.failed:
        print_traceback(run.error or RuntimeError(run.failed))
        return run.failed
    failed = [row["reason"] for row in run.rows if row["metric"] == metric.name and row["status"] == "failed"]
    return str(failed[0]) if failed else ""


def _rows(run: CellRun, metric: Metric, known: Any, stamp: Row) -> list[Row]:
    """The rows of the metric. What is of the whole cell is as in its other rows; the rest tells of this scoring."""
    of_cell = {name: known[name] for name in _OF_CELL}
    return [
        {**row, **stamp, **of_cell}
        for row in run.rows
        if row["metric"].partition("@")[0] == metric.name and row["status"] != "failed"
    ]


def _stamp(planned: Job, workbench: Workbench, job: CellJob, task: Task) -> Row:
    stamp = planned.stamp(workbench.registry, planned.explainer(), task, job.setting.run_id)
    return {**stamp, "device": task.device.type}
