"""Steps done by the workers of a Dask cluster: each thread of them does one at a time.

Steps are handed out one by one, not as a graph: a Dask worker that dies counts against the step that it was doing and
no other, steps of one group go where the group is open, and a worker that joins gets none before it is looked at.
"""

from __future__ import annotations

import itertools
import queue
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from partbench.errors import InputError, in_one_line
from partbench.running.cell_job import Limits, Setting, plain
from partbench.running.crew import TICK, Listener, Silent, Step, next_step
from partbench.running.dask_task import do, end_workers, network_step, versions_here
from partbench.running.versions import differences

if TYPE_CHECKING:
    from distributed import Client, Future

KILLS = 3  # Dask workers that may end while they do one step
LOOK = 1.0  # seconds between two looks at which workers there are
SILENCE = 5.0  # seconds without a worker after which that is said
GATHER = 5.0  # seconds to wait for a result before looking whether its worker is still there


@dataclass
class Slot:
    """A thread of a Dask worker, and what it does."""

    number: int
    address: str
    group: str | None = None
    step: Step | None = None
    future: Future | None = None


@dataclass(frozen=True)
class Source:
    """What all steps of a run need on the Dask workers: its setting, versions, plugin files by path, and limits.

    Limits without memory stand for the usual memory of the worker's machine.
    """

    setting: Setting
    versions: Mapping[str, str]
    files: Mapping[str, bytes]
    limits: Limits


@dataclass
class Reply:
    """How a step ended: what `dask_task.do` returned on which Dask worker, or the reason why there is nothing."""

    step: Step
    address: str
    found: Mapping[str, Any] | None = None
    lost: str = ""


@dataclass
class DaskCrew:
    """The Dask workers of a scheduler whose versions are those of the client; at most `most` of their threads at once.

    Whoever leaves it calls `close`: nothing of the run goes on then.
    """

    client: Client
    most: int | None = None
    listener: Listener = field(default_factory=Silent)

    def __post_init__(self) -> None:
        self._topic = f"partbench-{uuid.uuid4().hex}"
        self._heard: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._numbers, self._tries = itertools.count(), itertools.count()
        self._slots: list[Slot] = []
        self._looked_at: dict[str, Future] = {}
        self._left_out: dict[str, str] = {}
        self._farewells: list[Future] = []
        self._ends: dict[str, list[str]] = {}
        self._any_fitted, self._last_look, self._alone_since = False, 0.0, time.monotonic()

    def run(self, steps: Sequence[Step], source: Source) -> Iterator[Reply]:
        """Do all steps; a reply for each as it ends. A step is handed out when those before it have ended.

        Raises InputError if no Dask worker fits, or the scheduler is gone.
        """
        by_name, waiting = {step.name: step for step in steps}, list(steps)
        open_names = set(by_name)
        self.client.subscribe_topic(self._topic, lambda event: self._heard.put(("progress", event[1])))
        while open_names:
            self._look(waiting, source)
            self._hand_out(waiting, open_names, by_name, source)
            for reply in self._replies(waiting, source):
                open_names.discard(reply.step.name)
                yield reply
            self.listener.tick()

    def results_at_hand(self) -> Iterator[Reply]:
        """Replies of the steps that have ended and are not told of yet; for a run that is interrupted."""
        for slot in self._slots:
            if slot.future is not None and slot.future.status == "finished" and slot.step is not None:
                with suppress(Exception):
                    yield Reply(slot.step, slot.address, slot.future.result(timeout=GATHER))

    def close(self) -> None:
        """Cancel what is still to be done, which ends its processes, and let the idle ones end too."""
        working = [slot.future for slot in self._slots if slot.future is not None]
        with suppress(Exception):  # the scheduler may be gone
            self.client.cancel([*working, *self._looked_at.values()], force=True)
            idle = [slot.address for slot in self._slots if slot.future is None]
            self._farewells += [self._submit(address, "end", end_workers) for address in (*idle, *self._looked_at)]
            for future in self._farewells:
                future.result(timeout=GATHER)

    @property
    def size(self) -> int:
        """How many steps are done at once."""
        found = sum(self._threads().values())
        return found if self.most is None else min(found, self.most)

    def _submit(self, address: str, name: str, function: Any, *arguments: Any) -> Future:
        key = f"{name}-{self._topic[-6:]}-{next(self._tries)}"
        return self.client.submit(function, *arguments, key=key, workers=[address], pure=False, retries=0)

    def _threads(self) -> dict[str, int]:
        """The threads of each Dask worker by its address."""
        try:
            found: dict[str, int] = self.client.nthreads()
        except Exception as error:
            raise InputError(
                f"the Dask scheduler is gone ({in_one_line(error)}); finished cells are kept, the same command goes "
                "on from there"
            ) from error
        return found

    # --- which workers there are

    def _look(self, waiting: list[Step], source: Source) -> None:
        """See which Dask workers have come and gone, about once a second."""
        if time.monotonic() - self._last_look < LOOK:
            return
        self._last_look, found = time.monotonic(), self._threads()
        for slot in [slot for slot in self._slots if slot.address not in found]:
            self._slots.remove(slot)
            self._after_death(slot, waiting)
        for address in [address for address in self._looked_at if address not in found]:
            del self._looked_at[address]
        known = {slot.address for slot in self._slots} | self._looked_at.keys() | self._left_out.keys()
        for address in found.keys() - known:
            given = plain(source.setting), dict(source.files), self._topic
            future = self._submit(address, "versions", versions_here, *given)
            self._looked_at[address] = future
            future.add_done_callback(lambda _, address=address: self._heard.put(("versions", address)))
        if self._slots or self._looked_at:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > SILENCE:
            self._alone_since = float("inf")
            warnings.warn(
                "no Dask worker is there that fits; the run goes on when one joins the scheduler", stacklevel=2
            )

    def _after_look(self, address: str, source: Source) -> None:
        """Take a Dask worker on whose versions are those of the client; leave any other out."""
        future = self._looked_at.pop(address, None)
        if future is None or future.cancelled():
            return
        try:
            found = future.result(timeout=GATHER)
        except TimeoutError:  # it has gone meanwhile
            return
        except Exception as error:
            found = {"fault": f"{in_one_line(error)}; install the partbench of the client there"}
        fault = found.get("fault") or differences(source.versions, found["versions"])
        if not fault:
            self._any_fitted, threads = True, self._threads().get(address, 0)
            self._slots += [Slot(next(self._numbers), address) for _ in range(threads)]
            return
        self._left_out[address] = fault
        self._farewells.append(self._submit(address, "end", end_workers))
        if not self._any_fitted and not self._looked_at:
            raise InputError(f"Dask worker {address} cannot do cells of this run: {fault}")
        warnings.warn(f"Dask worker {address} is left out: {fault}", stacklevel=2)

    def _after_death(self, slot: Slot, waiting: list[Step]) -> None:
        """The step of a Dask worker that is gone is done again, but for one that has ended too many of them."""
        if (step := slot.step) is None:
            return
        self.listener.ended(slot.number)
        if slot.future is not None:
            slot.future.cancel()
        slot.step = slot.future = None
        ends = self._ends.setdefault(step.name, [])
        ends.append(slot.address)
        if len(ends) >= KILLS:
            self._heard.put(("lost", step))
            return
        warnings.warn(
            f"Dask worker {slot.address} ended while it did {step.label}; it is done again elsewhere", stacklevel=2
        )
        waiting.insert(0, step)

    # --- what they do

    def _hand_out(
        self, waiting: list[Step], open_names: set[str], by_name: Mapping[str, Step], source: Source
    ) -> None:  # fmt: skip
        for slot in self._slots:
            working = [other for other in self._slots if other.step is not None]
            if slot.step is not None or (self.most is not None and len(working) >= self.most):
                continue
            ready = [step for step in waiting if not step.after & open_names]
            if not ready and not working and not self._heard.qsize():  # steps that wait for each other: one goes first
                ready = waiting[:1]
            step = next_step(ready, slot.group, {str(other.group) for other in working})
            if step is None:
                return
            waiting.remove(step)
            self._give(slot, step, by_name, source)

    def _give(self, slot: Slot, step: Step, by_name: Mapping[str, Step], source: Source) -> None:
        task = {
            "step": _data(step), "before": _before(step, by_name), "files": dict(source.files),
            "limits": asdict(source.limits), "topic": self._topic, "slot": slot.number,
        }  # fmt: skip
        slot.step, slot.group = step, step.group
        slot.future = future = self._submit(slot.address, step.name, do, task)
        future.add_done_callback(lambda future: self._heard.put(("done", (slot, future))))
        self.listener.began(slot.number, step.label)

    def _replies(self, waiting: list[Step], source: Source) -> Iterator[Reply]:
        """Wait a moment for what is heard of the workers; replies of steps that have ended."""
        with suppress(queue.Empty):
            kind, found = self._heard.get(timeout=TICK)
            if kind == "progress":
                self._after_progress(found)
            elif kind == "versions":
                self._after_look(found, source)
            elif kind == "lost":
                yield Reply(found, self._ends[found.name][-1], lost=_lost(self._ends[found.name]))
            elif kind == "done" and found[0].future is found[1] and (reply := self._after_step(found[0], waiting)):
                yield reply

    def _after_progress(self, event: Mapping[str, Any]) -> None:
        for slot in self._slots:
            if slot.number == event["slot"] and slot.step is not None and event["what"] != slot.step.label:
                self.listener.progress(slot.number, event["what"], event["done"], event["total"])

    def _after_step(self, slot: Slot, waiting: list[Step]) -> Reply | None:
        """The reply of a slot whose step has ended, None if its Dask worker is gone."""
        step, found, lost = slot.step, None, ""
        assert step is not None
        assert slot.future is not None
        while found is None and not lost:
            try:
                found = slot.future.result(timeout=GATHER)
            except Exception as error:
                if slot.address not in self._threads() or slot.future.status in ("cancelled", "lost"):
                    self._last_look = 0.0  # the next look finds it gone
                    if slot in self._slots:
                        self._slots.remove(slot)
                        self._after_death(slot, waiting)
                    return None
                if not isinstance(error, TimeoutError):
                    lost = f"Dask worker {slot.address}: {in_one_line(error)}"
        slot.step = slot.future = None
        self.listener.ended(slot.number)
        return Reply(step, slot.address, found, lost)


def _data(step: Step) -> dict[str, Any]:
    return {"name": step.name, "request": dict(step.request), "label": step.label, "group": step.group}


def _before(step: Step, by_name: Mapping[str, Step]) -> list[dict[str, Any]]:
    """What a step builds on, in order, for a machine that shares no cache with those that have prepared it.

    Steps of its own group only: what others of a dataset have prepared is found on the way.
    """
    own = [by_name[name] for name in step.after if name in by_name and by_name[name].group == step.group]
    needed = [_data(one) for one in own if one.request["do"] == "activations"]
    return needed + [network_step(_data(one)) for one in own if one.request["do"] != "activations"]


def _lost(addresses: Sequence[str]) -> str:
    return f"{len(addresses)} Dask workers ended while they did it: {', '.join(addresses)}"
