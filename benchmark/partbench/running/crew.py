"""Several workers at work on steps: each does one at a time, is watched, and is replaced when it ends. No torch."""

from __future__ import annotations

import selectors
import shutil
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from partbench.running.cell_job import Limits
from partbench.running.worker_process import PATIENCE, Surroundings, WorkerProcess

TICK = 0.2  # seconds between two looks at the workers


@dataclass(frozen=True)
class Step:
    """What a worker does in one go: a request, see `worker`. Steps of one `group` share what a worker holds in memory.

    `after` names the steps that come before it, whether they succeed or not.
    """

    name: str
    request: Mapping[str, Any]
    label: str
    group: str = ""
    after: frozenset[str] = frozenset()


@dataclass
class Answer:
    """How a step ended: "done" with a result, "mistake" or "failed" with a text, "ended" if its worker did.

    `started` and `written` are the events of these names, of a cell.
    """

    step: Step
    log: Path
    kind: str = ""
    text: str = ""
    result: Any = None
    started: Mapping[str, Any] | None = None
    written: Mapping[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    loading: str = ""


class Listener(Protocol):
    """Who is told what the workers do; `worker` numbers them from 0."""

    def began(self, worker: int, label: str) -> None: ...

    def progress(self, worker: int, what: str, done: int, total: int) -> None: ...

    def ended(self, worker: int) -> None: ...

    def tick(self) -> None: ...


class Silent:
    """Listens to nothing."""

    def began(self, worker: int, label: str) -> None:
        """Ignore."""

    def progress(self, worker: int, what: str, done: int, total: int) -> None:
        """Ignore."""

    def ended(self, worker: int) -> None:
        """Ignore."""

    def tick(self) -> None:
        """Ignore."""


class Crew:
    """At most `size` workers, started when there is work. A context: on leaving it, all of them have ended."""

    def __init__(
        self, size: int, limits: Limits, listener: Listener | None = None, surroundings: Surroundings | None = None
    ) -> None:
        self._surroundings = surroundings
        self.size, self.limits, self.listener = size, limits, listener or Silent()
        self._folder = Path(tempfile.mkdtemp(prefix="partbench-"))
        self._selector = selectors.DefaultSelector()
        self._places: list[WorkerProcess | None] = [None] * size
        self._answers: dict[int, Answer] = {}
        self._groups: dict[int, str] = {}
        self._failed_starts = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, first politely, and remove their logs."""
        for worker in filter(None, self._places):
            worker.terminate()
        for place, held in enumerate(self._places):
            if held is not None:
                held.end(PATIENCE)
                self._forget(place)
        shutil.rmtree(self._folder, ignore_errors=True)

    def watch(self, limits: Limits, listener: Listener | None) -> None:
        """From now on, use these limits, and tell this listener."""
        self.limits, self.listener = limits, listener or Silent()
        for worker in filter(None, self._places):
            worker.limits = limits

    def start(self, count: int) -> None:
        """Start workers ahead of their work."""
        for place in range(min(count, self.size)):
            if self._places[place] is None:
                self._start(place)

    def run(self, steps: Iterable[Step]) -> Iterator[Answer]:
        """Do all steps and yield their answers as they come. A step is handed out when those before it have ended."""
        waiting = list(steps)
        open_names = {step.name for step in waiting}
        while waiting or self._answers:
            self._hand_out(waiting, open_names)
            for answer in self._heard():
                open_names.discard(answer.step.name)
                yield answer
            self.listener.tick()

    def _hand_out(self, waiting: list[Step], open_names: set[str]) -> None:
        for place in range(self.size):
            if place in self._answers:
                continue
            ready = [step for step in waiting if not step.after & open_names]
            if not ready and not self._answers:  # steps that wait for each other: one of them goes first
                ready = waiting[:1]
            step = self._chosen(place, ready)
            if step is None:
                return
            waiting.remove(step)
            worker = self._places[place] or self._start(place)
            self._answers[place], self._groups[place] = Answer(step, worker.log), step.group
            worker.ask(step.request)
            self.listener.began(place, step.label)

    def _chosen(self, place: int, ready: Sequence[Step]) -> Step | None:
        """The next step of a worker: of the group it has open, else of one that no other has, else any."""
        own = self._groups.get(place)
        others = {group for other, group in self._groups.items() if other != place and other in self._answers}
        return next_step(ready, own, others)

    def _start(self, place: int) -> WorkerProcess:
        worker = WorkerProcess(self._folder / f"worker-{place}.log", self.limits, self._surroundings)
        self._places[place] = worker
        self._groups.pop(place, None)
        self._selector.register(worker, selectors.EVENT_READ, place)
        return worker

    def _heard(self) -> Iterator[Answer]:
        """Wait a moment for events; the steps that they end."""
        for key, _ in self._selector.select(TICK):
            place = key.data
            for event in self._worker(place).events():
                if answer := self._after_event(place, event):
                    yield answer
                if event["event"] == "ended":
                    break
        for place, worker in enumerate(self._places):
            if worker is not None and (reason := worker.overstepped()):
                worker.end()
                if answer := self._after_event(place, {"event": "ended", "reason": reason}):
                    yield answer

    def _worker(self, place: int) -> WorkerProcess:
        worker = self._places[place]
        assert worker is not None
        return worker

    def _after_event(self, place: int, event: Mapping[str, Any]) -> Answer | None:
        """Note an event; the answer of the worker's step if it ends it."""
        kind, answer = event["event"], self._answers.get(place)
        if kind == "ended":
            return self._after_end(place, str(event["reason"]))
        self._failed_starts = 0
        if answer is None:
            return None
        if kind == "progress":
            self.listener.progress(place, str(event["what"]), int(event["done"]), int(event["total"]))
        elif kind in ("started", "written"):
            setattr(answer, kind, event)
        elif kind == "warning":
            answer.warnings.append(str(event["text"]))
        elif kind in ("done", "mistake", "failed"):
            answer.kind, answer.text, answer.result = kind, str(event.get("text", "")), event.get("result")
            if not event.get("clean"):
                self._worker(place).end()
                self._keep_log(answer)
                self._forget(place)
            return self._finished(place)
        return None

    def _after_end(self, place: int, reason: str) -> Answer | None:
        worker, answer = self._worker(place), self._answers.get(place)
        worker.end()
        self._failed_starts += not worker.ready
        printed = last_words(worker.log).splitlines()
        if answer is not None:
            answer.kind, answer.text, answer.loading = "ended", reason, worker.loading[0]
            self._keep_log(answer)
        self._forget(place)
        if self._failed_starts >= 3:
            raise RuntimeError(f"workers cannot be started: {reason}; {printed[-1]}")
        return self._finished(place) if answer else None

    def _keep_log(self, answer: Answer) -> None:
        """Move the log away before the next worker of this place empties it."""
        kept = answer.log.with_name(f"ended-{time.monotonic_ns()}.log")
        with suppress(OSError):
            answer.log = answer.log.rename(kept)

    def _finished(self, place: int) -> Answer:
        self.listener.ended(place)
        return self._answers.pop(place)

    def _forget(self, place: int) -> None:
        worker = self._worker(place)
        with suppress(KeyError):
            self._selector.unregister(worker)
        worker.close()
        self._places[place] = None


def next_step(ready: Sequence[Step], own: str | None, others: Container[str]) -> Step | None:
    """Of steps that are ready, one of the group that a worker has open, else of one that no other has, else any."""
    choices: list[Callable[[Step], bool]] = [
        lambda step: step.group == own, lambda step: step.group not in others, lambda step: True,
    ]  # fmt: skip
    return next((step for fits in choices for step in ready if fits(step)), None)


def last_words(log: Path) -> str:
    """The end of what a worker printed."""
    with suppress(OSError):
        return log.read_text(errors="replace").strip()[-3000:] or "nothing was printed"
    return "nothing was printed"
