"""A worker: a process that does what it is asked on stdin, one request after the other, and answers on stdout.

Started as `python -m partbench.running.worker LOG`. Requests and events are lines of JSON. Events go to a private
duplicate of stdout: whatever a plugin prints, in whatever language, goes to the log of the request in progress.

A request is {"do": one of HANDLERS, "log": path, ...}. The answer is events: "begun", then any of "loading" (a plugin
is about to be imported), "progress", "warning", "started" and "written" (of a cell), and in the end "done" with a
result, "mistake" (an InputError) or "failed". The worker ends when stdin does: when its parent is gone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import gc
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from partbench.errors import InputError, in_one_line
from partbench.running.failure import print_traceback

if TYPE_CHECKING:
    from partbench.opening import Workbench
    from partbench.running.cell_job import Setting

PRIVATE = 100  # the least number of the private descriptors
EVERY = 0.2  # seconds between two events of progress of one step


class RequestServer:
    """What a worker holds between requests: its two channels, and the workbench of the last setting."""

    def __init__(self, requests: IO[bytes], events: IO[str]) -> None:
        self._events, self._lock = events, threading.Lock()
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._opened: tuple[Setting, Workbench] | None = None
        self._told: dict[str, float] = {}
        threading.Thread(target=self._receive, args=(requests,), daemon=True).start()

    def serve(self) -> None:
        """Answer requests until stdin ends."""
        self.say("ready")
        while True:
            request = self._requests.get()
            turn_output_to(request["log"])
            self._told.clear()
            self.say("begun")
            self._answer(request)

    def say(self, event: str, **data: Any) -> None:
        """Send an event."""
        line = json.dumps({"event": event, "pid": os.getpid(), **data}, default=str) + "\n"
        with self._lock:
            self._events.write(line)
            self._events.flush()

    def progress(self, what: str, done: int, total: int) -> None:
        """Send how far a step is, a few times a second."""
        now = time.monotonic()
        if done >= total or now - self._told.get(what, 0.0) >= EVERY:
            self._told[what] = now
            self.say("progress", what=what, done=done, total=total)

    def workbench(self, setting: Setting) -> Workbench:
        """Plugins and tasks of a setting; those of the last one are reused."""
        from partbench.running.planner import workbench_of

        if self._opened is None or not same_plugins(self._opened[0], setting):
            workbench = workbench_of(setting, self)
            self._opened = replace(setting, device=workbench.device.type), workbench
        return self._opened[1]

    def _receive(self, requests: IO[bytes]) -> None:
        for line in requests:
            self._requests.put(json.loads(line))
        os._exit(0)  # the parent is gone, or wants no more

    def _answer(self, request: Mapping[str, Any]) -> None:
        threads = set(threading.enumerate())
        try:
            with warnings.catch_warnings():
                warnings.showwarning = self._warned
                result, clean = HANDLERS[request["do"]](self, request)
        except InputError as error:
            self.say("mistake", text=str(error), clean=True)
        except BaseException as error:  # of a plugin, which may raise anything; Ctrl-C is ignored here
            print_traceback(error)
            self.say("failed", text=in_one_line(error), clean=False)
        else:
            alone = set(threading.enumerate()) <= threads and not children()
            self.say("done", result=result, clean=clean and alone)

    def _warned(self, message: Warning | str, *_: Any, **__: Any) -> None:
        with contextlib.suppress(OSError, ValueError):
            print(f"warning: {message}", file=sys.stderr)
        if isinstance(message, (UserWarning, str)):
            self.say("warning", text=str(message))


def same_plugins(one: Setting, other: Setting) -> bool:
    """Whether a workbench of one setting serves another."""
    names = ("plugin_files", "data_root", "other", "device", "without")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def children() -> bool:
    """Whether this process has started others that still run."""
    import psutil

    return any(child.status() != psutil.STATUS_ZOMBIE for child in psutil.Process().children())


def turn_output_to(log: str) -> None:
    """Let all that is printed go to a file, emptied first."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)


def private_channels() -> tuple[IO[bytes], IO[str]]:
    """Duplicates of stdin and stdout under numbers of their own; plugins find an empty stdin."""
    requests = os.fdopen(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, PRIVATE), "rb")
    events = os.fdopen(fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, PRIVATE), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.register_at_fork(after_in_child=lambda: _close(requests, events))
    return requests, events


def _close(requests: IO[bytes], events: IO[str]) -> None:
    """In a process that a plugin forks: the channels belong to the worker alone."""
    for file in (requests, events):
        with contextlib.suppress(OSError):
            os.close(file.fileno())


def die_with_parent() -> None:
    """On Linux, end with the parent also while a plugin keeps all threads of this process waiting."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def one_thread() -> None:
    """Torch and OpenCV on one thread each; the libraries below them read the environment, see WorkerProcess.

    The first bar of tqdm, which `torch.fx` makes too, would start a thread that stays, and such threads end a worker.
    """
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if bars := sys.modules.get("tqdm"):  # torch imports it where it is installed
        bars.tqdm.monitor_interval = 0


def _plan(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from partbench.running.planner import planned

    return planned(worker, request), True


def _open(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from partbench.running.cell_job import CellJob
    from partbench.running.prepare import opened

    jobs = [CellJob.of(job) for job in request["jobs"]]
    return opened(worker.workbench(jobs[0].setting), jobs), True


def _activations(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from partbench.running.cell_job import CellJob
    from partbench.running.prepare import prepare_activations

    job = CellJob.of(request["job"])
    prepare_activations(worker.workbench(job.setting), job.task, request["split"])
    return None, True


def _fit(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from partbench.running.cell_job import CellJob
    from partbench.running.prepare import prepare_network

    job = CellJob.of(request["job"])
    return None, prepare_network(worker.workbench(job.setting), job)


def _cell(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from pathlib import Path

    from partbench.running.cell_job import CellJob, plain
    from partbench.running.worker_cell import Told, run_job

    job, told = CellJob.of(request["job"]), Told(worker.say, worker.progress, Path(request["log"]))
    outcome, clean = run_job(job, worker.workbench(job.setting), told, request.get("wait", False))
    return plain(outcome), clean


def _score(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from partbench.running.cell_job import CellJob, plain
    from partbench.running.worker_score import MetricRequest, score_job

    job = CellJob.of(request["job"])
    wanted = MetricRequest(request["metric"], request["path"], request["cell"], request["refit"], request["by"])
    outcome, clean = score_job(job, wanted, worker.workbench(job.setting), worker.progress)
    return plain(outcome), clean


def _versions(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from partbench.running.cell_job import Setting
    from partbench.running.versions import versions_of

    setting = Setting.of(request["setting"])
    return versions_of(worker.workbench(setting).registry, setting.plugin_files), True


def _replaced(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from partbench.running.cell_job import Setting

    return worker.workbench(Setting.of(request["setting"])).registry.replaced, True


def _call(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    """What a function of partbench above this package, "module:function", answers to the worker and the request."""
    module, _, function = request["function"].partition(":")
    return getattr(importlib.import_module(module), function)(worker, request)


def _fail(worker: RequestServer, request: Mapping[str, Any]) -> tuple[Any, bool]:
    from partbench.running.cell_job import CellJob, plain
    from partbench.running.worker_cell import fail_job

    job = CellJob.of(request["job"])
    return plain(fail_job(job, worker.workbench(job.setting), request["reason"])), True


Handler = Callable[[RequestServer, Mapping[str, Any]], tuple[Any, bool]]
HANDLERS: dict[str, Handler] = {
    "plan": _plan, "open": _open, "activations": _activations, "fit": _fit, "cell": _cell,
    "versions": _versions, "fail": _fail, "score": _score, "replaced": _replaced,
    "call": _call,
}  # fmt: skip


@contextlib.contextmanager
def quiet_start(log: str) -> Iterator[tuple[IO[bytes], IO[str]]]:
    """The channels of a worker whose output already goes to its log."""
    channels = private_channels()
    turn_output_to(log)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    faulthandler.enable()
    yield channels


def main() -> None:
    """Serve the parent until it is gone. SIGINT is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # until the plugins are loaded, see `workbench_of`
    if "--die-with-parent" in sys.argv:
        die_with_parent()
    with quiet_start(sys.argv[1]) as channels:
        worker = RequestServer(*channels)
        one_thread()
        worker.serve()


if __name__ == "__main__":
    main()
