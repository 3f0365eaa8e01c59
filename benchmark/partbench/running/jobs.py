"""A run of many cells: which there are, which are finished, and doing the others one by one."""

from __future__ import annotations

import datetime
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partbench import __version__, options
from partbench.errors import InputError, unknown
from partbench.opening import Workbench
from partbench.registry import Entry, Registry
from partbench.results.schema import Cell, variant
from partbench.results.store import finished, read_cell, write_cell
from partbench.running.cell import CellRun, Progress, run_cell
from partbench.task import Task


@dataclass(frozen=True)
class Job:
    """One cell to be: an explainer with its options, on a task, with a seed."""

    entry: Entry
    given: Mapping[str, str]
    task: str
    seed: int

    def explainer(self) -> Any:
        """A fresh explainer. Raises InputError for a bad option."""
        return options.build(self.entry.cls, self.given)

    @property
    def variant(self) -> str:
        """The options asked for whose values are not the defaults."""
        asked, defaults = options.resolved(self.explainer()), options.resolved(self.entry.cls())
        return variant({name: asked[name] for name in self.given}, defaults)

    def cell(self, task: Task) -> Cell:
        """The identity under which its result is kept."""
        dataset = task.dataset
        data = "|".join([dataset.train.fingerprint, dataset.test.fingerprint, task.performer.fingerprint])
        return Cell(
            explainer=self.entry.name,
            distribution=self.entry.distribution,
            distribution_version=self.entry.version,
            options=options.resolved(self.explainer()),
            task=task.name,
            task_version=f"{task.version}.{dataset.version}.{task.performer.version}",
            dataset=dataset.name,
            category=task.category,
            performer=task.performer.name,
            data_fingerprint=hashlib.sha256(data.encode()).hexdigest()[:16],
            seed=self.seed,
        )


@dataclass
class Outcome:
    """What became of a job: its file, and the run itself unless it was finished before."""

    job: Job
    task: Task
    cell: Cell
    path: Path
    run: CellRun | None = None


@dataclass
class Campaign:
    """Jobs, done in order on one workbench, each written to `results` as soon as it ends.

    A cell that is finished is not done again unless `overwrite`; an interrupted campaign loses the cell at work only.
    """

    workbench: Workbench
    jobs: Sequence[Job]
    results: Path
    overwrite: bool = False
    progress: Progress | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def __iter__(self) -> Iterator[Outcome]:
        for job in self.jobs:
            task = self.workbench.task(job.task).with_seed(job.seed)
            cell = job.cell(task)
            path = finished(self.results, cell)
            if path and not self.overwrite and not has_failed(path):
                yield Outcome(job, task, cell, path)
                continue
            metrics = [entry.cls() for _, entry in sorted(self.workbench.registry.metrics.items())]
            run = run_cell(job.explainer(), task, metrics, self.progress)
            path = write_cell(self.results, self._stamp(run, job), cell, overwrite=path is not None)
            yield Outcome(job, task, cell, path, run)

    def _stamp(self, run: CellRun, job: Job) -> list[dict[str, Any]]:
        now = datetime.datetime.now(datetime.UTC)
        stamp = {"run_id": self.run_id, "created_at": now, "partbench_version": __version__, "variant": job.variant}
        return [row | stamp for row in run.rows]


def has_failed(path: Path) -> bool:
    """Whether a cell holds a failure: it is tried again, since a failure is not a result."""
    return bool((read_cell(path)["status"] == "failed").any())


def plan(
    registry: Registry, plugins: Sequence[str], tasks: Sequence[str], seeds: Sequence[int], given: Mapping[str, str]
) -> list[Job]:
    """The jobs of a run, task by task, so that each task's caches serve all its explainers.

    A plugin is a name, a file (whose explainers are meant) or "all". An option `name` goes to every explainer that has
    it, `explainer.name` to that one. Raises InputError for an unknown plugin, or an option that no explainer has; each
    explainer is built once, so that bad values end it here.
    """
    names = dict.fromkeys(name for plugin in plugins for name in _explainers(registry, plugin))
    entries = [registry.find("explainers", name) for name in names]
    shares = {entry.name: _share(entry, given) for entry in entries}
    for name in given:
        wanted = name.rpartition(".")[2]
        if not any(wanted in share for share in shares.values()):
            known = {option for entry in entries for option in options.names(entry.cls)}
            raise unknown(f"option of {', '.join(shares)}", name, known)
    for entry in entries:
        options.build(entry.cls, shares[entry.name])
    return [Job(entry, shares[entry.name], task, seed) for task in tasks for entry in entries for seed in seeds]


def job_of(registry: Registry, row: Mapping[str, Any]) -> Job:
    """The job that made a result row. Raises InputError if its explainer is not installed."""
    values = json.loads(row["options"])
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return Job(registry.find("explainers", row["explainer"]), given, row["task"], int(row["seed"]))


def _explainers(registry: Registry, plugin: str) -> list[str]:
    if plugin == "all":
        return sorted(registry.explainers)
    if not plugin.endswith(".py"):
        return [plugin]
    own = registry.of_file(plugin)["explainers"]
    if not own:
        raise InputError(f"{plugin} registers no explainer; see CONTRIBUTING.md for the hook")
    return own


def _share(entry: Entry, given: Mapping[str, str]) -> dict[str, str]:
    own = {}
    for name, value in given.items():
        plugin, dot, option = name.rpartition(".")
        if (dot and plugin == entry.name) or (not dot and option in options.names(entry.cls)):
            own[option] = value
    return own


def check_writable(folder: Path) -> None:
    """Raise InputError now rather than after the first cell if results cannot be written to `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".partbench-{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot write results to {folder}: {error.strerror}; choose another --results") from error
