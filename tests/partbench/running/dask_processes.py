"""A Dask scheduler and Dask workers as processes, for tests: each worker has a home and a cache of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

MARK = "PARTBENCH_TEST_CLUSTER"


class DaskProcesses:
    """A context: on leaving it, all that was started has ended."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mark = folder, uuid.uuid4().hex
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        words = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        self.scheduler = self._started("scheduler", ["distributed.cli.dask_scheduler", *words])
        self.workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> DaskProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        until(lambda: not self.left(), 15)

    def start_worker(self, *path: Path) -> subprocess.Popen[bytes]:
        """A worker of one thread; the folders of `path` come first where it looks for modules."""
        words = ["distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self.workers.append(self._started(f"worker-{len(self.workers)}", words, path))
        return self.workers[-1]

    def left(self) -> list[psutil.Process]:
        """What the workers have started and still runs."""
        return [process for process in psutil.process_iter() if self._is_cell_worker(process)]

    def _is_cell_worker(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self.mark and "partbench.running.worker" in process.cmdline()
        except psutil.Error:
            return False

    def _started(self, name: str, words: list[str], path: tuple[Path, ...] = ()) -> subprocess.Popen[bytes]:
        home = self.folder / name
        home.mkdir()
        kept = {key: value for key, value in os.environ.items() if key not in ("PARTBENCH_CACHE", "XDG_CACHE_HOME")}
        modules = os.pathsep.join([*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**kept, "HOME": str(home), "TMPDIR": str(home), MARK: self.mark, "PYTHONPATH": modules}
        with open(home / "log", "wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words], cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT
            )


def until(reached: Callable[[], object], seconds: float) -> None:
    """Wait until something is true. Raises AssertionError when that takes too long."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not reached in {seconds} s"
        time.sleep(0.1)
