"""A metric added to many finished cells, each in a worker. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from partbench.errors import InputError
from partbench.results.provenance import who
from partbench.running.cell_job import CellJob, CellOutcome, Setting, plain
from partbench.running.crew import Answer, Crew, Step
from partbench.running.recorded import no_such_explainer, recorded_job


def rescored(
    rows: Sequence[Mapping[str, Any]], metric: str, setting: Setting, refit: bool, crew: Crew
) -> Iterator[CellOutcome]:
    """Add a metric to cells and yield the outcome of each (see `worker_score.score_job`); `rows` has a row per cell.

    A submitted cell keeps its status: a line of its history says that the metric was added.
    """
    results = Path(setting.results)
    steps, jobs, by_path, by = {}, {}, {}, who()
    for row in rows:
        job = recorded_job(row, replace(setting, device=str(row["device"])))
        path = str(results / row["file"])
        request = {"do": "score", "job": plain(job), "metric": metric, "refit": refit}
        request |= {"path": path, "cell": row["cell"], "by": by}
        steps[path], jobs[path] = Step(path, request, f"{metric}: {job.label}", job.task), job
        by_path[path] = row
    for answer in crew.run(steps.values()):
        yield _outcome(jobs[answer.step.name], by_path[answer.step.name], answer)


def expect_known(metrics: Sequence[str], setting: Setting, crew: Crew) -> None:
    """Raise InputError for a metric that neither the installed plugins nor those of the setting's files register."""
    function = "partbench.running.planner:expect_metrics"
    request = {"do": "call", "function": function, "setting": plain(setting), "metrics": list(metrics)}
    [answer] = crew.run([Step("metrics", request, "loading plugins")])
    if answer.kind == "mistake":
        raise InputError(answer.text)


def _outcome(job: CellJob, row: Mapping[str, Any], answer: Answer) -> CellOutcome:
    if answer.kind == "done":
        return CellOutcome.of(answer.result)
    absent = answer.kind == "mistake" and answer.text.startswith("no explainer named")
    reason = (absent and no_such_explainer(row)) or answer.text
    return CellOutcome(job, "failed", reason=reason, columns={"cell": row["cell"]})
