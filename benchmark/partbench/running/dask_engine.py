"""A run of many cells on a Dask cluster: planned in processes of this machine, computed by Dask workers. No torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partbench.errors import InputError, in_one_line
from partbench.results.provenance import beside
from partbench.results.received import receive_cell
from partbench.running.cell_job import CellOutcome, Limits, plain
from partbench.running.crew import Listener, Silent, Step
from partbench.running.engine import Engine, Plan, PlannedCell, Request, end_idle_worker, step_in_worker, steps_of
from partbench.running.failure import forget_log, log_of
from partbench.whole_files import write_whole

if TYPE_CHECKING:
    from distributed import Client

    from partbench.running.dask_crew import DaskCrew, Reply

PLANNERS = 4  # most processes of this machine that open tasks

Connect = Callable[[], AbstractContextManager["Client"]]


@dataclass
class DaskEngine:
    """Plans a request here and runs its cells on the Dask workers that `connect` leads to, `most` at once.

    A context, as `Engine` is. On leaving it nothing of the run goes on, on whatever machine; cells that have ended by
    then are written. `limits` without memory stand for the usual memory of each worker's machine.
    """

    request: Request
    connect: Connect
    most: int | None = None
    limits: Limits = field(default_factory=Limits)
    listener: Listener | None = None

    def __post_init__(self) -> None:
        self._stack = ExitStack()
        self._waiting: dict[str, PlannedCell] = {}
        self._crew: DaskCrew | None = None
        self._versions: dict[str, str] = {}

    def __enter__(self) -> DaskEngine:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._crew is not None:
                for reply in self._crew.results_at_hand():
                    self._outcome(reply)
                self._crew.close()
        finally:
            self._stack.close()
            end_idle_worker()

    @property
    def size(self) -> int:
        """How many cells are done at once by the Dask workers that are there."""
        return 0 if self._crew is None else self._crew.size

    def planned(self) -> Plan:
        """The plan, as that of `Engine`, once the scheduler has answered."""
        from partbench.running.dask_crew import DaskCrew

        sources_of(self.request.setting.plugin_files)
        client = self._stack.enter_context(self.connect())
        self._crew = DaskCrew(client, self.most, self.listener or Silent())
        with Engine(self.request, min(PLANNERS, os.cpu_count() or 1), Limits.usual(), self.listener) as here:
            plan = here.planned()
            if plan.waiting:
                self._versions = here.versions(plan.waiting[0].job.setting)
        return plan

    def run(self, plan: Plan) -> Iterator[CellOutcome]:
        """As `Engine.run`. Raises InputError if no Dask worker fits, or the scheduler is gone."""
        from partbench.running.dask_crew import Source

        assert self._crew is not None
        yield from plan.known()
        if not plan.waiting:
            return
        steps, _ = steps_of(plan.waiting)
        setting = plan.waiting[0].job.setting
        self._waiting = {f"cell {planned.cell.key}": planned for planned in plan.waiting}
        source = Source(setting, self._versions, sources_of(setting.plugin_files), self.limits)
        for reply in self._crew.run(steps, source):
            if outcome := self._outcome(reply):
                yield outcome

    def _outcome(self, reply: Reply) -> CellOutcome | None:
        """What came of a cell, written here; None for a step that is no cell, or a cell whose outcome is known."""
        planned = self._waiting.pop(reply.step.name, None)
        if planned is None:
            return None
        if reply.found is None:
            return _failed(planned, reply.lost)
        return received(planned, reply.found, reply.address)


def received(planned: PlannedCell, found: Mapping[str, Any], address: str) -> CellOutcome:
    """Write what a Dask worker has made of a cell. What is no file of this cell, or cannot be written, fails it."""
    outcome = replace(CellOutcome.of(found["outcome"]), job=planned.job, path=None, pictures=())
    setting = planned.job.setting
    if found["cell"] is None:
        return outcome
    try:
        path, written = receive_cell(Path(setting.results), found["cell"], planned.cell, setting.overwrite)
    except ValueError as error:
        reason = f"Dask worker {address}: {in_one_line(error)}; do its data differ from those here?"
        return replace(outcome, status="failed", reason=reason)
    except InputError as error:
        return replace(outcome, status="failed", reason=str(error))
    if not written:
        return replace(outcome, status="finished before", path=str(path), reason="", failed_metrics={})
    forget_log(path)
    notes, drawn = list(outcome.notes), []
    try:
        if found["log"] is not None:
            _write(log_of(path), found["log"])
        for name, data in found["pictures"].items():
            drawn.append(_write(Path(str(setting.pictures)) / name, data))
    except OSError as error:
        notes.append(f"not written: {in_one_line(error)}")
    return replace(outcome, path=str(path), pictures=tuple(drawn), notes=tuple(notes))


def sources_of(paths: Sequence[str]) -> dict[str, bytes]:
    """Plugin files to be sent, by path. Raises InputError for one that imports other files beside it."""
    for path in paths:
        with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the planner will tell
            if others := beside(Path(path)):
                raise InputError(
                    f"plugin file {path} imports {', '.join(others)} beside it; single files only are sent to Dask "
                    "workers: make it one file, or install it there as a package"
                )
    return {path: Path(path).read_bytes() for path in paths if Path(path).is_file()}


def _failed(planned: PlannedCell, reason: str) -> CellOutcome:
    """Write a cell as failed, by a worker of this machine, which knows the metrics."""
    request = {"do": "fail", "job": plain(planned.job), "reason": reason}
    answer = step_in_worker(Step("fail", request, planned.job.label), Limits.usual())
    if answer.kind == "done":
        return CellOutcome.of(answer.result)
    return CellOutcome(planned.job, "failed", reason=f"{reason}; not written: {answer.text}")


def _write(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    return str(path)
