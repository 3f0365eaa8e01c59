"""A metric added to many finished cells, each in a worker. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from partbench.errors import InputError
from partbench.results.provenance import now, sha256, who
from partbench.results.submission_history import SubmissionEvent, histories, record, statuses_of, submission_events
from partbench.running.cell_job import CellJob, CellOutcome, Setting, plain
from partbench.running.crew import Answer, Crew, Step
from partbench.running.recorded import no_such_explainer, recorded_job


def rescored(
    rows: Sequence[Mapping[str, Any]], metric: str, setting: Setting, refit: bool, crew: Crew
) -> Iterator[CellOutcome]:
    """Add a metric to cells and yield the outcome of each (see `worker_score.score_job`); `rows` has a row per cell.

    A published cell keeps its status: a line of its history says that the metric was added. Raises InputError if there
    is no such metric.
    """
    results = Path(setting.results)
    steps, jobs, by_path = {}, {}, {}
    for row in rows:
        job = recorded_job(row, replace(setting, device=str(row["device"])))
        path = str(results / row["file"])
        request = {"do": "score", "job": plain(job), "metric": metric, "refit": refit}
        request |= {"path": path, "cell": row["cell"]}
        steps[path], jobs[path] = Step(path, request, f"{metric}: {job.label}", job.task), job
        by_path[path] = row
    history = submission_events(results)
    published, held = histories(history), statuses_of(results, history)
    for answer in crew.run(steps.values()):
        outcome = _outcome(jobs[answer.step.name], by_path[answer.step.name], answer)
        key = str(outcome.columns.get("cell", ""))
        if outcome.status == "done" and key in published:
            _note(results, replace(published[key][-1], status=held[key]), metric)
        yield outcome


def _outcome(job: CellJob, row: Mapping[str, Any], answer: Answer) -> CellOutcome:
    if answer.kind == "done":
        return CellOutcome.of(answer.result)
    if answer.kind == "mistake" and answer.text.startswith(("no metric named", "plugin file")):  # holds for all cells
        raise InputError(answer.text)
    absent = answer.kind == "mistake" and answer.text.startswith("no explainer named")
    reason = (absent and no_such_explainer(row)) or answer.text
    return CellOutcome(job, "failed", reason=reason, columns={"cell": row["cell"]})


def _note(results: Path, last: SubmissionEvent, metric: str) -> None:
    changed = replace(last, sha256=sha256(results / last.file), by=who(), at=now(), reason=f"{metric} added")
    record(results, [changed])
