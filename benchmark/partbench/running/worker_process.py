"""A worker as its parent sees it: a process that is asked one thing at a time, watched, and ended. Imports no torch."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from partbench.running.cell_job import Limits

ROOT = Path(__file__).resolve().parents[2]  # the folder that holds partbench
MODULE = "partbench.running.worker"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
STARTING = 180.0  # seconds of CPU time, or without any, after which a worker that has not come up is given up
PATIENCE = 3.0  # seconds between asking a process to end and killing it
LARGEST_LOG = 64 << 20  # bytes printed by one request before the log is emptied
MOST_AT_ONCE = 16 << 20  # bytes read before the other workers are heard
EVERY = 5.0  # seconds between two looks at what a worker has started
LONGEST_LINE = 256 << 20  # bytes of one event


@dataclass(frozen=True)
class Surroundings:
    """Where a worker starts: in `folder`, and without variables of the environment that mention a path of `hidden`.

    Those that name the folder of the user are left out too. Relative paths of PYTHONPATH become absolute.
    """

    folder: Path
    hidden: tuple[Path, ...] = ()

    def of(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment of the worker."""
        hidden = [str(path.absolute()) for path in self.hidden]
        kept = {name: value for name, value in environment.items() if not any(path in value for path in hidden)}
        path = [os.path.abspath(entry) for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
        others = {name: value for name, value in kept.items() if name not in _OF_SHELL}
        return {**others, "PYTHONPATH": os.pathsep.join(path), "PWD": str(self.folder)}


_OF_SHELL = ("PWD", "OLDPWD", "_")  # where the user is, and what they typed


class WorkerProcess:
    """One worker process. It stays in the process group of this one, and ends when this one does.

    `request` is what it works on, None when it is idle; `began` is when it began, on the monotonic clock. `in_cell`:
    the explainer of a cell is at work, whose time is limited.
    """

    def __init__(self, log: Path, limits: Limits, surroundings: Surroundings | None = None) -> None:
        self.log, self.limits = log, limits
        self.request: Mapping[str, Any] | None = None
        self.ready, self.in_cell, self.began = False, False, time.monotonic()
        self.loading = ("", self.began)
        self._buffer = bytearray()
        with open(log, "ab") as errors:
            self._process = subprocess.Popen(
                _command(log), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                env=_environment(surroundings), cwd=surroundings.folder if surroundings else None,
            )  # fmt: skip
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._watched = psutil.Process(self._process.pid)
        self._others: list[psutil.Process] = []  # those that it started
        self._looked = 0.0
        self._used, self._stirred = 0.0, self.began  # seconds of CPU time, and when they last grew
        self._gone: float | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fileno(self) -> int:
        """Where its events come from; readable when there are some, and when it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def ask(self, request: Mapping[str, Any]) -> None:
        """Send a request. A worker that has ended shows that at the next `events`."""
        assert self._process.stdin is not None
        self.request, self.began, self.in_cell = request, time.monotonic(), False
        self.loading = ("", self.began)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({**request, "log": str(self.log)}).encode() + b"\n")
            self._process.stdin.flush()

    def events(self) -> Iterator[dict[str, Any]]:
        """The events that have come since the last call; one "ended", with the reason, when there will be no more."""
        chunk = self._read()
        if chunk:
            self._buffer += chunk
        lines: list[bytes] = []
        if chunk and b"\n" in chunk:
            *lines, rest = bytes(self._buffer).split(b"\n")
            self._buffer = bytearray(rest)
        for line in lines:
            event = _parsed(line)
            if event is not None and event.get("pid") != self.pid:  # of a process that it forked
                continue
            if event is None:
                self.end()
                yield {"event": "ended", "reason": "the worker sent what is no event"}
                return
            self._note(event)
            yield event
        if chunk == b"":
            yield {"event": "ended", "reason": self._reason_of_end()}
        elif len(self._buffer) > LONGEST_LINE:
            self.end()
            yield {"event": "ended", "reason": "the worker sent an event without end"}

    def overstepped(self) -> str:
        """Which limit the worker has overstepped, in words; "" if none."""
        now = time.monotonic()
        if self._process.poll() is not None and self._gone is None:
            self._gone = now  # its last events are still to be read
        if self._gone is not None and now - self._gone > PATIENCE:
            return self._reason_of_end()  # a process that it forked holds the channel open
        if not self.ready and self._is_lifeless(now):
            return f"the worker has not come up within {now - self.began:.0f} s"
        if self.request is None or not self.ready:
            return ""
        plugin, since = self.loading
        if plugin and now - since > self.limits.loading:
            return f"importing {plugin} took longer than {self.limits.loading:g} s"
        allowed = self.limits.seconds if self.in_cell else self.limits.preparing
        if allowed is not None and now - self.began > allowed:
            return f"longer than {allowed:g} s"
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LARGEST_LOG:
                os.truncate(self.log, 0)
        used = self.memory()
        if self.limits.memory is not None and used > self.limits.memory:
            return f"more than {self.limits.memory / 2**30:.1f} GB"
        return ""

    def _is_lifeless(self, now: float) -> bool:
        """Whether a worker will not come up: on a busy machine it gets little CPU time, but some."""
        with contextlib.suppress(psutil.Error):
            times = self._watched.cpu_times()
            if times.user + times.system > self._used:
                self._used, self._stirred = times.user + times.system, now
        return max(self._used, now - self._stirred) > STARTING

    def memory(self) -> int:
        """Resident bytes of the worker and of the processes that it started, without pages of files."""
        if time.monotonic() - self._looked > EVERY:
            self._look()
        found = 0
        for process in (self._watched, *self._others):
            with contextlib.suppress(psutil.Error):
                used = process.memory_info()
                found += used.rss - getattr(used, "shared", 0)
        return found

    def end(self, patience: float = 0.0) -> None:
        """End the worker and all that it started: with SIGTERM if there is patience, then with SIGKILL."""
        self._look()
        if patience:
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        for process in (self._watched, *self._others):
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def close(self) -> None:
        """Close the pipes of a worker that has ended."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _look(self) -> None:
        """See which processes it has started; those known before stay known when it has ended."""
        self._looked = time.monotonic()
        with contextlib.suppress(psutil.Error):
            known = [*self._others, *self._watched.children(recursive=True)]
            self._others = [process for process in dict.fromkeys(known) if process.is_running()]

    def _read(self) -> bytes | None:
        """What can be read now: None for nothing yet, b"" at the end."""
        chunks = bytearray()
        while len(chunks) < MOST_AT_ONCE:
            try:
                chunk = os.read(self.fileno(), 1 << 16)
            except BlockingIOError:
                return bytes(chunks) or None
            if not chunk:
                return bytes(chunks)
            chunks += chunk
        return bytes(chunks)

    def _note(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "ready":
            self.ready = True
        elif event["event"] in ("begun", "started"):
            self.began, self.in_cell = time.monotonic(), event["event"] == "started"
        elif event["event"] == "loading":
            self.loading = (str(event["plugin"]), time.monotonic())

    def _reason_of_end(self) -> str:
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:  # it closed its channel, and lives on
            self.end()
            return "it closed the channel of its events"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by signal {-code} ({signal.Signals(-code).name})"
            return f"killed by signal {-code}"
        return f"its process ended with exit code {code}, as by os._exit({code})"


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def _command(log: Path) -> list[str]:
    # -P: a file of the current folder must not take the place of a library
    words = [sys.executable, "-P", "-m", MODULE, str(log)]
    # the signal comes when the thread that started the worker ends
    return [*words, "--die-with-parent"] if threading.current_thread() is threading.main_thread() else words


def _environment(surroundings: Surroundings | None) -> dict[str, str]:
    given = surroundings.of(os.environ) if surroundings else dict(os.environ)
    path = os.pathsep.join(filter(None, (str(ROOT), given.get("PYTHONPATH"))))
    return {**given, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
