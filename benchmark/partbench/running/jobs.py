"""A run of many cells: planning them, skipping finished ones, running the others one by one."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch

from partbench import __version__, options
from partbench.errors import InputError, in_one_line, unknown
from partbench.opening import Workbench
from partbench.plugin.explainer import Control, Explainer
from partbench.plugin.metric import Metric
from partbench.registry import Entry, Registry
from partbench.results.cell_lock import cell_lock
from partbench.results.provenance import digest, host, source_commit
from partbench.results.schema import Cell, check_seed, label, variant
from partbench.results.store import ask_again, done, write_cell
from partbench.running.cell import CellRun, Progress, run_cell
from partbench.running.cell_job import CellJob, new_run_id
from partbench.running.machine_type import processor_type, weights_of
from partbench.running.recorded import no_such_explainer
from partbench.running.scoring import MetricState, Row
from partbench.task import Task


@dataclass(frozen=True)
class Job:
    """A planned cell: an explainer with its options, a task and a seed."""

    entry: Entry
    given: Mapping[str, str]
    task: str
    seed: int

    @staticmethod
    def of(job: CellJob, registry: Registry) -> Job:
        """A job that came as plain data. Raises InputError if its explainer is not installed."""
        return Job(registry.find("explainers", job.explainer), job.given, job.task, job.seed)

    def explainer(self) -> Any:
        """A fresh explainer. Raises InputError for a bad option."""
        return options.build(self.entry.cls, self.given)

    @property
    def variant(self) -> str:
        """The options asked for whose values are not the defaults."""
        asked, defaults = options.resolved(self.explainer()), options.resolved(self.entry.cls())
        return variant({name: asked[name] for name in self.given}, defaults)

    @property
    def label(self) -> str:
        """The explainer with these options."""
        return label(self.entry.name, self.variant)

    def run(
        self, workbench: Workbench, task: Task, run_id: str, progress: Progress | None = None,
        passing: tuple[type[BaseException], ...] = (KeyboardInterrupt,),
    ) -> CellRun:  # fmt: skip
        """Fit, explain and score with all registered metrics; rows tell of the run and of what is compared.

        Exceptions that are `passing` pass through, see `run_cell`.
        """
        explainer, registry = self.explainer(), workbench.registry
        stamp = self.stamp(registry, explainer, task, run_id)
        run = run_cell(explainer, task, _metrics(registry), progress, passing)
        stamp["network"] = labelled(registry, run.network)
        run.rows = [row | stamp for row in run.rows]
        return run

    def stamp(self, registry: Registry, explainer: Explainer, task: Task, run_id: str) -> Row:
        """The columns of all rows that tell of the run and of what the explainer is compared with."""
        return {
            "run_id": run_id, "created_at": datetime.datetime.now(datetime.UTC), "partbench_version": __version__,
            "variant": self.variant, "control": explainer.control(),
            "compared_with": labelled(registry, explainer.compared_with()),
            "deterministic": explainer.deterministic(), "network": "",
            "source_commit": source_commit(), "host": host(), "threads": torch.get_num_threads(),
            "torch_version": torch.__version__, "processor": processor_type(task.device),
            "performer_digest": weights_of(task.activation_cache),
        }  # fmt: skip

    def failed_rows(self, registry: Registry, task: Task, run_id: str) -> list[Row]:
        """The rows of this cell if it fails before it has any, without the reason; for whoever watches it."""
        stamp = self.stamp(registry, self.explainer(), task, run_id) | {"device": task.device.type}
        return [row | stamp for metric in _metrics(registry) for row in MetricState(metric, status="failed").rows()]

    def cell(self, task: Task) -> Cell:
        """The identity of its result."""
        dataset = task.dataset
        known = [dataset.train.fingerprint, dataset.test.fingerprint, task.performer.fingerprint]
        if task.activation_cache.precision == torch.half:
            known.append("activations in float16")
        return Cell(
            explainer=self.entry.name,
            distribution=self.entry.distribution,
            plugin_version=self.entry.version,
            options=options.resolved(self.explainer()),
            task=task.name,
            task_version=f"{task.version}.{dataset.version}.{task.performer.version}",
            dataset=dataset.name,
            category=task.category,
            performer=task.performer.name,
            data_fingerprint=hashlib.sha256("|".join(known).encode()).hexdigest()[:16],
            seed=self.seed,
            plugin_digest=digest(self.entry.cls.__module__),
            device=task.device.type,
        )


@dataclass
class Outcome:
    """The outcome of a job: its file, and its run; no run if the cell was finished before."""

    job: Job
    task: Task
    cell: Cell
    path: Path
    run: CellRun | None = None

    @property
    def failed(self) -> bool:
        """Whether the cell failed in this run, or one of its metrics did."""
        rows = self.run.rows if self.run else []
        return any(row["status"] == "failed" for row in rows)


@dataclass
class Campaign:
    """Jobs, done in order on one workbench, each written to `results` as soon as it ends.

    Finished cells are skipped unless `overwrite`; pages show them as the last asked for. A cell that another run is
    doing is waited for after all others. An interrupted campaign loses the cell in progress only.
    """

    workbench: Workbench
    jobs: Sequence[Job]
    results: Path
    overwrite: bool = False
    progress: Progress | None = None
    run_id: str = field(default_factory=new_run_id)

    def __iter__(self) -> Iterator[Outcome]:
        elsewhere = []
        for job in self.jobs:
            if outcome := self._done(job, wait=False):
                yield outcome
            else:
                elsewhere.append(job)
        for job in elsewhere:
            if outcome := self._done(job, wait=True):
                yield outcome

    def _done(self, job: Job, wait: bool) -> Outcome | None:
        """A job's outcome; None if another run is doing its cell."""
        task = self.workbench.task(job.task).with_seed(job.seed)
        cell = job.cell(task)
        with cell_lock(self.results, cell, wait) as mine:
            if not mine:
                return None
            path = done(self.results, cell)
            if path and not self.overwrite:
                ask_again(self.results, cell)
                return Outcome(job, task, cell, path)
            run = job.run(self.workbench, task, self.run_id, self.progress)
            path = write_cell(self.results, run.rows, cell, overwrite=True)
            return Outcome(job, task, cell, path, run)


def _metrics(registry: Registry) -> list[Metric]:
    return [entry.cls() for _, entry in sorted(registry.metrics.items())]


def labelled(registry: Registry, named: tuple[str, Mapping[str, Any]] | None) -> str:
    """The label of an explainer that another names with options; "" for None."""
    if named is None:
        return ""
    name, given = named
    if name not in registry.explainers:
        return name
    cls = registry.explainers[name].cls
    return label(name, variant(options.resolved(cls(**given)), options.resolved(cls())))


def check_declared(registry: Registry, explainer: Explainer) -> None:
    """Raise InputError if what a fresh explainer says of itself cannot be written in its rows."""
    try:
        control, fixed = explainer.control(), explainer.deterministic()
        labelled(registry, explainer.compared_with())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may call sys.exit
        found = in_one_line(error)
        raise InputError(
            f"{explainer.name}: control(), deterministic() or compared_with() fails before fit: {found}"
        ) from error
    if control not in get_args(Control):
        raise InputError(f"{explainer.name}: control() is {control!r:.60}, expected one of {get_args(Control)}")
    if not isinstance(fixed, bool):
        raise InputError(f"{explainer.name}: deterministic() is {fixed!r:.60}, expected True or False")


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
        check_declared(registry, options.build(entry.cls, shares[entry.name]))
    checked = [check_seed(seed) for seed in seeds]
    return [Job(entry, shares[entry.name], task, seed) for task in tasks for entry in entries for seed in checked]


def job_of(registry: Registry, row: Mapping[str, Any]) -> Job:
    """The job that made a result row. Raises InputError if its explainer is not installed, or its options are none."""
    try:
        given = options.as_texts(json.loads(row["options"]))
    except (ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"the options of the cell are {row['options']!r:.60}, expected a JSON object") from error
    if row["explainer"] not in registry.explainers and (reason := no_such_explainer(row)):
        raise InputError(reason)
    return Job(registry.find("explainers", row["explainer"]), given, row["task"], int(row["seed"]))


def _explainers(registry: Registry, plugin: str) -> list[str]:
    if plugin == "all":
        return sorted(registry.explainers)
    if not plugin.endswith(".py"):
        return [plugin]
    own = registry.of_file(plugin)["explainers"]
    if not own:
        raise InputError(f"{plugin} registers no explainer; see docs/plugins.md for the hook")
    return own


def _share(entry: Entry, given: Mapping[str, str]) -> dict[str, str]:
    own = {}
    for name, value in given.items():
        plugin, dot, option = name.rpartition(".")
        if (dot and plugin == entry.name) or (not dot and option in options.names(entry.cls)):
            own[option] = value
    return own
