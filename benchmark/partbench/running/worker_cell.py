"""One cell in a worker: fitted, scored and written, then its pictures drawn."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from partbench.errors import InputError, in_one_line
from partbench.opening import Workbench
from partbench.plugin.dataset import Progress
from partbench.plugin.explainer import Explainer
from partbench.results.cell_lock import cell_lock
from partbench.results.schema import Cell, picture_path
from partbench.results.store import ask_again, done, write_cell
from partbench.running.cell import CellRun
from partbench.running.cell_job import CellJob, CellOutcome, cell_seconds, plain
from partbench.running.failure import forget_log, keep_log, print_traceback, with_log, write_failed
from partbench.running.global_state import GlobalState
from partbench.running.integrity import unchanged
from partbench.running.jobs import Job
from partbench.running.scoring import Row
from partbench.task import Task
from partbench.weight_cache import training_allowed, weights_in


@dataclass(frozen=True)
class Told:
    """Whom a worker tells of a cell, how far it is, and the log of what it prints."""

    say: Callable[..., None]
    progress: Progress
    log: Path


def run_job(job: CellJob, workbench: Workbench, told: Told, wait: bool = False) -> tuple[CellOutcome, bool]:
    """Run a cell and write it; whether other cells may run in this process afterwards is the second value.

    A cell that another run is doing has the status "locked", or is waited for. Before anything of the explainer runs,
    `say` is told "started" with all that is needed to write the cell as failed; when the cell is written, "written".
    """
    planned = Job.of(job, workbench.registry)
    task = workbench.task(job.task).with_seed(job.seed)
    cell, results = planned.cell(task), Path(job.setting.results)
    with cell_lock(results, cell, wait) as mine:
        if not mine:
            return CellOutcome(job, "locked", columns=cell.columns), True
        path = done(results, cell)
        if path and not job.setting.overwrite:
            ask_again(results, cell)
            return CellOutcome(job, "finished before", str(path), columns=cell.columns), True
        return _run(planned, task, workbench, job, told)


def _run(planned: Job, task: Task, workbench: Workbench, job: CellJob, told: Told) -> tuple[CellOutcome, bool]:
    cell, setting = planned.cell(task), job.setting
    rows = planned.failed_rows(workbench.registry, task, setting.run_id)
    told.say(
        "started", cell=dataclasses.asdict(cell), rows=[{**row, "created_at": str(row["created_at"])} for row in rows]
    )
    with weights_in(None if setting.weights is None else Path(setting.weights)):
        run = planned.run(workbench, task, setting.run_id, told.progress, passing=())
    if run.error is not None:
        print_traceback(run.error)
    outcome = _written(job, cell, run, rows, told.log)
    told.say("written", outcome=plain(outcome))
    if setting.pictures and outcome.status == "done":
        outcome = _with_pictures(outcome, workbench, task, (run.explainer, planned.label))
    return outcome, not run.spoilt


def fail_job(job: CellJob, workbench: Workbench, reason: str) -> CellOutcome:
    """Write a cell as failed without running it."""
    planned = Job.of(job, workbench.registry)
    task = workbench.task(job.task).with_seed(job.seed)
    rows = planned.failed_rows(workbench.registry, task, job.setting.run_id)
    return write_failed(job, planned.cell(task), rows, reason)


def _written(job: CellJob, cell: Cell, run: CellRun, blank: Sequence[Row], log: Path) -> CellOutcome:
    """Write the rows of a cell; what cannot be written, such as a name that is no text, fails the cell."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    if run.failed:
        return write_failed(job, cell, run.rows, run.failed, log)
    failed = {row["metric"]: row["reason"] for row in run.rows if row["status"] == "failed"}
    path = cell.path(Path(job.setting.results))
    kept = keep_log(log, path) if failed else None
    rows = [_with_log(row, kept) if row["status"] == "failed" else row for row in run.rows]
    try:
        path = write_cell(Path(job.setting.results), rows, cell, overwrite=True)
    except Exception as error:
        print_traceback(error)
        return write_failed(job, cell, blank, f"the rows cannot be written: {in_one_line(error)}", log)
    if kept is None:
        forget_log(path)
    return CellOutcome(
        job, "skipped" if run.skipped else "done", str(path), run.skipped, cell_seconds(run.rows), failed,
        columns=cell.columns,
    )  # fmt: skip


def _with_log(row: Row, log: Path | None) -> Row:
    return {**row, "reason": with_log(row["reason"], log)}


def _with_pictures(outcome: CellOutcome, workbench: Workbench, task: Task, shown: tuple[Explainer, str]) -> CellOutcome:
    """Draw the pictures of a cell, by its explainer and label; where that fails, the cell stands and has a note."""
    from partbench.pictures.gallery import draw_pictures  # matplotlib takes as long to import as a small cell

    explainer, label = shown
    path = picture_path(Path(str(outcome.job.setting.pictures)), outcome.columns)
    before, notes, drawn = GlobalState.now(), [], []
    try:
        with unchanged(task.performer), training_allowed(False):
            drawn = draw_pictures(workbench, task, explainer, path, label=label)
    except InputError as error:  # such as for lack of test images
        notes.append(f"no pictures: {error}")
    except BaseException as error:  # such as of a head() that raises, or exits
        print_traceback(error)
        notes.append(f"no pictures, {in_one_line(error)}")
    if changed := before.restore():
        notes.append(f"drawing its pictures changed {', '.join(changed[:3])}")
    return replace(outcome, pictures=tuple(map(str, drawn)), notes=tuple(notes))
