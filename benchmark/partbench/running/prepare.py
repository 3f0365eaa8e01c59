"""What cells share, made before them: opened tasks, activations, and networks that several explainers build on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from partbench import options
from partbench.activations import Activations
from partbench.errors import reason_of
from partbench.opening import Workbench
from partbench.results.store import done
from partbench.running.cell import fit
from partbench.running.cell_job import CellJob, plain
from partbench.running.failure import print_traceback
from partbench.running.global_state import GlobalState
from partbench.running.integrity import unchanged
from partbench.running.jobs import Job
from partbench.task import Task
from partbench.types import NotApplicable, Split


def opened(workbench: Workbench, jobs: Sequence[CellJob]) -> list[dict[str, Any]]:
    """Of jobs of one group, once its performer is there: their cells, whether these are finished, what they build on.

    Raises InputError where the data or the performer cannot be opened.
    """
    return [_described(workbench, job) for job in jobs]


def keys(worker: Any, request: Mapping[str, Any]) -> tuple[list[dict[str, str]], bool]:
    """Of each job, the `key` that its cell has with the code and the data here, or the `reason` why there is none."""
    return [_key(worker, CellJob.of(job)) for job in request["jobs"]], True


def _key(worker: Any, job: CellJob) -> dict[str, str]:
    try:
        workbench = worker.workbench(job.setting)
        task = workbench.task(job.task).with_seed(job.seed)
        return {"key": Job.of(job, workbench.registry).cell(task).key}
    except Exception as error:  # a plugin may raise anything where it is asked for its options
        return {"reason": reason_of(error)}


def _described(workbench: Workbench, job: CellJob) -> dict[str, Any]:
    planned = Job.of(job, workbench.registry)
    task = workbench.task(job.task).with_seed(job.seed)
    cell = planned.cell(task)
    known = not job.setting.overwrite and done(Path(job.setting.results), cell) is not None
    networks = [] if known else list(_needed(workbench, job, planned, task))
    columns = {name: value for name, value in dataclasses.asdict(cell).items() if name != "options"}
    return {
        "job": plain(job), "cell": columns | {"options": dict(cell.options)}, "builds_on": networks,
        "path": str(cell.path(Path(job.setting.results))), "finished": known,
        "activations": _stored(task.activation_cache),
    }  # fmt: skip


def _stored(cache: Activations) -> dict[str, Any]:
    """Of the layers with a role of a performer: bytes on disk, and when they are stored."""
    return {
        "of": f"{cache.performer.name} on {cache.dataset.name}", "name": cache.name,
        "layers": [[layer, cache.bytes_of(layer), cache.when_stored(layer)] for layer in cache.with_roles()],
    }  # fmt: skip


def _needed(workbench: Workbench, job: CellJob, planned: Job, task: Task) -> Iterator[dict[str, Any]]:
    """The fits that the job's explainer builds on, with the keys of their cells; none where it cannot say."""
    registry = workbench.registry
    try:
        for name, values in planned.explainer().builds_on(task.training):
            given = options.as_texts(values)
            network = replace(job, explainer=name, given=given)
            yield {"job": plain(network), "key": Job.of(network, registry).cell(task).key}
    except Exception as error:  # its own cell will show it
        print_traceback(error)


def prepare_activations(workbench: Workbench, task: str, split: Split) -> None:
    """Render or read a split of a task, and compute the activations of it that nearly all cells need, see `shared`."""
    cache = workbench.task(task).activation_cache
    for layer in cache.shared():
        cache.of_split(split, layer)


def prepare_network(workbench: Workbench, job: CellJob) -> bool:
    """Fit an explainer for the weights that it leaves in the cache; whether the process was left as it was.

    A failure is not reported: the cells that need the network fit it again, and say so.
    """
    task = workbench.task(job.task).with_seed(job.seed)
    explainer = Job.of(job, workbench.registry).explainer()
    before = GlobalState.now()
    try:
        with unchanged(task.performer):
            fit(explainer, task)
    except NotApplicable:
        pass
    finally:
        changed = before.restore()
    return not changed
