"""A run of many cells in worker processes: planned by one of them, prepared and computed by all. Imports no torch.

`run_in_worker` runs a single cell in a process of its own, for whoever hands out cells in another way.
"""

from __future__ import annotations

import atexit
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from partbench.errors import InputError
from partbench.results.schema import Cell
from partbench.running.cell_job import CellJob, CellOutcome, Limits, Setting, plain
from partbench.running.crew import Answer, Crew, Listener, Step, last_words

_Name = tuple[str, str, str, int]
AHEAD = 2  # workers that come up while plugins are loaded and names are checked


@dataclass(frozen=True)
class Request:
    """What the user asked for: explainers (names, files or "all"), tasks and patterns, seeds, options, metrics.

    `options` are `name=value` texts, or texts by name. Empty `tasks` and `metrics` stand for the default ones.
    """

    setting: Setting
    plugins: Sequence[str]
    tasks: Sequence[str] = ()
    seeds: Sequence[int] = (0,)
    options: Sequence[str] | Mapping[str, str] = ()
    metrics: Sequence[str] = ()


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a plan: where it will lie, whether it is finished, and the fits that it builds on.

    These come with the keys that their own cells have. `activations` says what lies on disk of its performer's layers.
    """

    job: CellJob
    cell: Cell
    path: str
    finished: bool
    group: str
    builds_on: tuple[tuple[str, CellJob], ...] = ()
    activations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All cells of a run in order; those whose task could not be opened, with the reason; the metrics to print."""

    cells: Sequence[PlannedCell]
    lost: Sequence[CellOutcome]
    metrics: Sequence[str]
    datasets: Sequence[str]

    @property
    def waiting(self) -> list[PlannedCell]:
        """The cells that are still to be done."""
        return [planned for planned in self.cells if not planned.finished]

    def known(self) -> Iterator[CellOutcome]:
        """The outcomes that are known before any cell is run: of lost cells, and of finished ones.

        The latter are noted as asked for, see `ask_again`.
        """
        from partbench.results.store import ask_again  # pandas is imported while the workers come up

        yield from self.lost
        for planned in self.cells:
            if planned.finished:
                ask_again(Path(planned.job.setting.results), planned.cell)
                yield CellOutcome(planned.job, "finished before", planned.path, columns=planned.cell.columns)


@dataclass
class Engine:
    """Plans a request and runs its cells on `jobs` workers. A context: on leaving it, all workers have ended.

    The first workers are started on entering it: one plans, and the other will help to prepare what cells share.
    With `plan_only` there are only as many as the plan needs. A plugin that ends or stops a worker while it is imported
    is broken, and the others are loaded without it.
    """

    request: Request
    jobs: int
    limits: Limits = field(default_factory=Limits)
    listener: Listener | None = None
    plan_only: bool = False

    def __post_init__(self) -> None:
        self._crew = Crew(self.jobs, self.limits, self.listener)

    def __enter__(self) -> Engine:
        self._crew.start(1 if self.plan_only else AHEAD)
        return self

    def __exit__(self, *_: object) -> None:
        self._crew.close()

    @property
    def size(self) -> int:
        """How many cells are done at once."""
        return self.jobs

    def planned(self) -> Plan:
        """The plan, once every dataset and performer is there. Raises InputError for a mistake of the user."""
        found = self._planned_names()
        if not self.plan_only:
            self._crew.start(sum(len(group["jobs"]) for group in found["groups"]))  # while the first one opens tasks
        cells, lost = [], []
        by_name = {group["name"]: group for group in found["groups"]}
        for answer in self._crew.run(map(_opening, by_name.values())):
            for text in dict.fromkeys(answer.warnings):
                warnings.warn(text, stacklevel=2)
            if answer.kind == "mistake":
                raise InputError(answer.text)
            group = by_name[answer.step.name]
            if answer.kind == "done":
                cells += [_planned_cell(one, group["name"]) for one in answer.result]
            else:
                reason = f"{answer.step.label} failed: {answer.text}"
                jobs = map(CellJob.of, group["jobs"])
                lost += [CellOutcome(job, "failed", reason=reason, columns=_known(job, group)) for job in jobs]
        order = {_name(CellJob.of(job)): place for place, job in enumerate(_all_jobs(found))}
        cells.sort(key=lambda planned: order[_name(planned.job)])
        datasets = dict.fromkeys(group["dataset"] for group in found["groups"])
        return Plan(cells, lost, tuple(found["metrics"]), tuple(datasets))

    def run(self, plan: Plan) -> Iterator[CellOutcome]:
        """Prepare what the cells share, run those that are not finished, and yield what came of each as it ends.

        Cells that another run is doing are waited for after all others.
        """
        yield from plan.known()
        steps, cells = steps_of(plan.waiting)
        locked = []
        for answer in self._crew.run(steps):
            if answer.step.name in cells:
                outcome = outcome_of(cells[answer.step.name], answer)
                if outcome.status == "locked":
                    locked.append(waiting_for(answer.step))
                else:
                    yield outcome
        for answer in self._crew.run(locked):
            yield outcome_of(cells[answer.step.name], answer)

    def versions(self, setting: Setting) -> dict[str, str]:
        """Versions of partbench, torch and plugins here, see `versions_of`; `setting` is that of planned cells."""
        [answer] = self._crew.run([Step("versions", versions_request(setting), "preparing: versions of plugins")])
        if answer.kind != "done":
            raise RuntimeError(f"the versions of plugins cannot be told: {answer.text}\n{last_words(answer.log)}")
        found: dict[str, str] = answer.result
        return found

    def _planned_names(self) -> dict[str, Any]:
        """What the planner answers; again without a plugin that ends it, until it answers."""
        setting = self.request.setting
        while True:
            request = {**plain(replace(self.request, setting=setting)), "do": "plan"}
            [answer] = self._crew.run([Step("plan", request, "preparing: loading plugins, checking options")])
            for text in dict.fromkeys(answer.warnings):
                warnings.warn(text, stacklevel=3)
            if answer.kind == "done":
                for line in answer.result["broken"] if setting.without else ():
                    warnings.warn(line, stacklevel=3)
                found: dict[str, Any] = answer.result
                return found
            if answer.kind == "mistake":
                raise InputError(answer.text)
            culprit, reason = answer.loading, answer.text
            if culprit in setting.plugin_files:
                raise InputError(f"plugin file {culprit} is broken: {reason}")
            if not culprit or culprit in setting.without:
                raise RuntimeError(f"the run cannot be planned: {reason}\n{last_words(answer.log)}")
            setting = replace(setting, without={**setting.without, culprit: reason})


def steps_of(cells: Sequence[PlannedCell]) -> tuple[list[Step], dict[str, CellJob]]:
    """The steps of cells and of what they share, in order; and by the names of their steps the jobs of cells.

    Activations of a split of a dataset are computed for one performer first, which renders or reads its images. A
    network that several build on is fitted by its own cell where that is among the cells.
    """
    steps: dict[str, Step] = {}
    jobs = {f"cell {planned.cell.key}": planned.job for planned in cells}
    first: dict[tuple[str, str], str] = {}
    for planned in cells:
        for split, before in _activations(planned.group).items():
            if before not in steps:
                request = {"do": "activations", "job": plain(planned.job), "split": split}
                after = frozenset({first.setdefault((planned.cell.dataset, split), before)} - {before})
                steps[before] = Step(before, request, f"preparing {before}", planned.group, after)
    for planned in cells:
        name, activations = f"cell {planned.cell.key}", frozenset(_activations(planned.group).values())
        needed = set()
        for key, network in planned.builds_on:
            step = f"cell {key}" if f"cell {key}" in jobs else f"network {key}"
            if step not in steps and step not in jobs:
                label, request = f"preparing {network.label}{_with(network)}", {"do": "fit", "job": plain(network)}
                steps[step] = Step(step, request, label, planned.group, activations)
            needed.add(step)
        request = {"do": "cell", "job": plain(planned.job)}
        steps[name] = Step(name, request, planned.job.label, planned.group, activations | needed - {name})
    return _networks_first(list(steps.values())), jobs


def _activations(group: str) -> dict[str, str]:
    """The steps that compute the activations of a group, by split: two workers share them."""
    return {split: f"activations of {group} ({split})" for split in ("train", "test")}


def waiting_for(step: Step) -> Step:
    """The step of a cell that another run is doing, done once that run has ended or finished it."""
    label = f"{step.label} (another run is doing it)"
    return replace(step, request={**step.request, "wait": True}, label=label, after=frozenset())


def versions_request(setting: Setting) -> dict[str, Any]:
    """What a worker is asked for the versions of partbench, torch and plugins there."""
    return {"do": "versions", "setting": plain(setting)}


def outcome_of(job: CellJob, answer: Answer) -> CellOutcome:
    """What came of a cell, from the answer to its step. A cell whose worker ended is written as failed, with why.

    A cell that was written before its worker ended stands: only its pictures are missing.
    """
    if answer.kind == "done":
        return CellOutcome.of(answer.result)
    if answer.written is not None:
        found = CellOutcome.of(answer.written["outcome"])
        return replace(found, notes=(*found.notes, f"no pictures, {answer.text}"))
    if answer.started is None:
        return CellOutcome(job, "failed", reason=f"before it was fitted: {answer.text}")
    from partbench.running.failure import write_failed

    return write_failed(job, Cell(**answer.started["cell"]), answer.started["rows"], answer.text, answer.log)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does; as before on leaving. Only in the main thread."""
    numbers = [signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
    numbers = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]  # nohup ignores one
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


_idle = threading.local()


def run_in_worker(job: CellJob, limits: Limits, listener: Listener | None = None) -> CellOutcome:
    """Run one cell in a worker process, watched as in a run; the worker stays for the next call from the same thread.

    Nothing of a plugin runs in this process. The cell is written to the results folder of the job, as failed where its
    worker ends or oversteps a limit. What it shares with other cells and is not in the cache is made first.
    """
    return outcome_of(job, step_in_worker(Step("cell", {"do": "cell", "job": plain(job)}, job.label), limits, listener))


def step_in_worker(step: Step, limits: Limits, listener: Listener | None = None) -> Answer:
    """Do one step of `steps_of`, such as preparing activations, in the worker process of this thread."""
    crew: Crew | None = getattr(_idle, "crew", None)
    if crew is None:
        crew = _idle.crew = Crew(1, limits)
        atexit.register(crew.close)
    crew.watch(limits, listener)
    try:
        [answer] = crew.run([step])
    except BaseException:  # interrupted: the worker is not left with half a step
        end_idle_worker()
        raise
    return answer


def end_idle_worker() -> None:
    """End the worker that `run_in_worker` left to this thread, if any."""
    if (crew := getattr(_idle, "crew", None)) is not None:
        crew.close()
        atexit.unregister(crew.close)
        del _idle.crew


def _with(job: CellJob) -> str:
    return f" ({','.join(f'{name}={text}' for name, text in job.given.items())})" if job.given else ""


def _networks_first(steps: list[Step]) -> list[Step]:
    """Steps that others wait for come before those of the same kind that nothing waits for."""
    awaited = frozenset().union(*(step.after for step in steps))
    return sorted(steps, key=lambda step: step.name not in awaited)


def _opening(group: Mapping[str, Any]) -> Step:
    name = group["name"]
    return Step(name, {"do": "open", "jobs": group["jobs"]}, f"preparing {name}", name)


def _planned_cell(data: Mapping[str, Any], group: str) -> PlannedCell:
    networks = tuple((one["key"], CellJob.of(one["job"])) for one in data["builds_on"])
    job, cell = CellJob.of(data["job"]), Cell(**data["cell"])
    return PlannedCell(job, cell, data["path"], data["finished"], group, networks, data["activations"])


def _all_jobs(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for group in found["groups"]:
        yield from group["jobs"]


def _known(job: CellJob, group: Mapping[str, Any]) -> dict[str, Any]:
    return {"explainer": job.explainer, "task": job.task, "seed": job.seed, "dataset": group["dataset"]}


def _name(job: CellJob) -> _Name:
    """What tells the jobs of one run apart; options given as text that mean the same may differ."""
    return job.explainer, str(sorted(job.given.items())), job.task, job.seed
