"""Rendering in several processes that import nothing of the caller: no `__main__` guard is needed, nor a fork."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

CHUNK = 16  # images a job: about half a second
ROOT = Path(__file__).resolve().parents[3]  # the folder that holds partbench
MODULE = "partbench.datasets.fauna.render_worker"


class Worker:
    """One rendering process (see `render_worker`), in the process group of this one: Ctrl-C reaches both."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (`close` closes it)
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        # -P: a file of the current folder must not take the place of a library
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path},
        )

    def draw(self, job: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The samples of a job, stacked. Raises RuntimeError, with its last words, if the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        length = int.from_bytes(self._process.stdout.read(8), "little")
        data = self._process.stdout.read(length)
        if not length or len(data) < length:
            raise self._ended()
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)

    def end(self) -> None:
        """Kill the process, whatever it does, and wait for it."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close the pipes of a process that has ended and that no thread reads any more."""
        for file in (self._process.stdin, self._process.stdout, self._errors):
            if file is not None:
                with suppress(BrokenPipeError):
                    file.close()

    def _ended(self) -> RuntimeError:
        code = self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        return RuntimeError(f"a rendering process ended with code {code}: {words[-1] if words else 'it said nothing'}")


def chunks_in_order(
    job: Mapping[str, Any], indices: Sequence[int], workers: int
) -> Generator[dict[str, np.ndarray], None, None]:
    """Samples of `indices` in order, stacked by chunks, drawn by `workers` processes that end with the iterator.

    `job` is what all chunks share (see `render_worker.answer`). Raises RuntimeError if a process dies.
    """
    jobs = [{**job, "indices": list(indices[start : start + CHUNK])} for start in range(0, len(indices), CHUNK)]
    crew: list[Worker] = []
    idle: SimpleQueue[Worker] = SimpleQueue()

    def draw(job: Mapping[str, Any]) -> dict[str, np.ndarray]:
        worker = idle.get()
        try:
            return worker.draw(job)
        finally:
            idle.put(worker)

    threads = ThreadPoolExecutor(min(workers, len(jobs)) or 1)
    try:
        for _ in range(min(workers, len(jobs))):
            crew.append(Worker())
            idle.put(crew[-1])
        yield from threads.map(draw, jobs)
    finally:
        for worker in crew:
            worker.end()  # first, so that no thread waits for an answer
        threads.shutdown(cancel_futures=True)
        for worker in crew:
            worker.close()
