"""What runs on a Dask worker: a step of a run, in a watched worker process of its own. Imports no torch.

All that comes in and goes out is plain data: no file of the client is read, and none of its folders is written. Files
lie in the folder of the Dask worker, which removes it when it ends.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from partbench.running.cell_job import CellJob, CellOutcome, Limits, Setting, plain
from partbench.running.crew import Answer, Silent, Step
from partbench.running.engine import end_idle_worker, outcome_of, step_in_worker, versions_request
from partbench.running.failure import log_of

EVERY = 1.0  # seconds between two events of progress
NO_SLOT = -1
TOGETHER = 0.2  # seconds that keep a thread from doing the same for another one
CLOSING = ("closing", "closed", "failed")  # states of a Dask worker

_prepared: set[tuple[str, str]] = set()  # run and step, of what this Dask worker has prepared


class Cancelled(BaseException):
    """The client is gone or wants the step no longer, or this Dask worker is closing."""


class StepReporter(Silent):
    """Sends the progress of a step to the client, and raises Cancelled when the step is wanted no longer."""

    def __init__(self, topic: str, slot: int) -> None:
        from distributed import get_worker

        self._worker, self._topic, self._slot = get_worker(), topic, slot
        self._key, self._told = self._worker.get_current_task(), 0.0

    def began(self, worker: int, label: str) -> None:
        """A step began, perhaps one that comes before the one asked for."""
        self._tell(label, 0, 0)

    def progress(self, worker: int, what: str, done: int, total: int) -> None:
        """The step is so far."""
        if time.monotonic() - self._told >= EVERY:
            self._tell(what, done, total)

    def tick(self) -> None:
        """See whether the step is still wanted."""
        task = self._worker.state.tasks.get(self._key)
        if task is None or task.state == "cancelled" or self._worker.status.name in CLOSING:
            raise Cancelled("the step is wanted no longer")

    def _tell(self, what: str, done: int, total: int) -> None:
        self._told = time.monotonic()
        self._worker.log_event(self._topic, {"slot": self._slot, "what": what, "done": done, "total": total})


def versions_here(setting: Mapping[str, Any], files: Mapping[str, bytes], topic: str) -> dict[str, Any]:
    """Versions of what determines values on this Dask worker ("versions"), or why there are none ("fault")."""
    for folder in filter(None, (setting["data_root"], setting["other"])):
        if not Path(folder).is_dir():
            return {"fault": f"it has no folder '{folder}'; give a path that exists on all workers"}
    here = Setting.of({**setting, "plugin_files": _written(setting["plugin_files"], files)})
    answer = step_in_worker(
        Step("versions", versions_request(here), "versions"), Limits.usual(), StepReporter(topic, NO_SLOT)
    )
    return {"versions": answer.result} if answer.kind == "done" else {"fault": answer.text}


def do(task: Mapping[str, Any]) -> dict[str, Any]:
    """Do a step, and before it what it builds on and this Dask worker has not prepared yet.

    `task` has the `step` and those `before` it, the sources of plugin `files` by path, `limits`, the `topic` of events,
    and the number of the `slot` that they are of. The answer has `kind` and `text`; of a cell also its `outcome`
    and the bytes of its file (`cell`), of its `log`, and of its `pictures` by relative path.
    """
    limits = Limits(**task["limits"])
    if limits.memory is None:
        limits = replace(limits, memory=Limits.usual().memory)
    reporter = StepReporter(task["topic"], task["slot"])
    with tempfile.TemporaryDirectory(prefix="partbench-", dir=_folder()) as folder:
        for step in task["before"]:
            if (task["topic"], step["name"]) not in _prepared:
                _answered(_step(step, Path(folder), task["files"]), task["topic"], limits, reporter)
        step = _step(task["step"], Path(folder), task["files"])
        answer = _answered(step, task["topic"], limits, reporter)
        reply: dict[str, Any] = {"kind": answer.kind, "text": answer.text}
        if step.request["do"] == "cell":
            outcome = outcome_of(CellJob.of(step.request["job"]), answer)
            reply |= {"outcome": plain(outcome), **_files_of(outcome, Path(folder))}
    return reply


def end_workers() -> None:
    """The run is over: the worker process of this thread ends, and what was prepared is forgotten."""
    _prepared.clear()
    end_idle_worker()
    time.sleep(TOGETHER)


def network_step(step: Mapping[str, Any]) -> dict[str, Any]:
    """The step that only fits the explainer of a cell, for the weights that it leaves in the cache."""
    return {**step, "name": _as_network(step["name"]), "request": {**step["request"], "do": "fit"}}


def _as_network(name: str) -> str:
    return f"network {name.removeprefix('cell ')}" if name.startswith("cell ") else name


def _answered(step: Step, topic: str, limits: Limits, reporter: StepReporter) -> Answer:
    answer = step_in_worker(step, limits, reporter)
    if answer.kind == "done":
        _prepared.add((topic, _as_network(step.name)))
    return answer


def _step(data: Mapping[str, Any], folder: Path, files: Mapping[str, bytes]) -> Step:
    """A step whose job reads and writes files here."""
    job = data["request"]["job"]
    setting = job["setting"]
    here = {
        "results": str(folder / "results"),
        "pictures": setting["pictures"] and str(folder / "pictures"),
        "plugin_files": _written(setting["plugin_files"], files),
    }
    request = {**data["request"], "job": {**job, "setting": {**setting, **here}}}
    return Step(data["name"], request, data["label"], data["group"])


def _folder() -> Path:
    from distributed import get_worker

    return Path(get_worker().local_directory)


def _written(paths: Sequence[str], files: Mapping[str, bytes]) -> list[str]:
    """Plugin files of the client as files here; one that is there is not written again, and so not imported again."""
    places = []
    for path in paths:
        source = files[path]
        place = _folder() / "plugins" / hashlib.sha256(source).hexdigest()[:16] / Path(path).name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
                file.write(source)
            os.replace(file.name, place)
        places.append(str(place.resolve()))
    return places


def _files_of(outcome: CellOutcome, folder: Path) -> dict[str, Any]:
    """The bytes of what a cell left."""
    path = None if outcome.path is None else Path(outcome.path)
    pictures = [Path(picture) for picture in outcome.pictures]
    return {
        "cell": path and path.read_bytes(),
        "log": log_of(path).read_bytes() if path and log_of(path).exists() else None,
        "pictures": {str(one.relative_to(folder / "pictures")): one.read_bytes() for one in pictures},
    }
