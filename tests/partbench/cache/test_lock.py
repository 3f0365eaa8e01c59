"""Real processes that share a cache: each item is made once, and a process that dies keeps nobody waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

from partbench import CacheItem
from partbench.cache import lock as module
from partbench.cache.lock import lock_of, locked, release

# Makes nested items as an explainer does that is made of another's network; notes each making in a log.
RUN = """
import os, sys, time
from pathlib import Path
from partbench.cache.item import CacheItem
root = Path(sys.argv[1])
def made(name, inner=None):
    item = CacheItem("kind", name, ".txt", root)
    def make():
        with open(root / "log", "a") as log: log.write(f"{name} {os.getpid()}\\n")
        time.sleep(float(sys.argv[2]))
        text = f"{name}<{inner()}>" if inner else name
        return item.write(lambda file: file.write(text.encode()))
    return item.once(Path.read_text, make)
print(made("outer", lambda: made("inner")) if sys.argv[3] == "outer" else made("inner", None))
"""


def start(root: Path, seconds: float, which: str = "outer") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", RUN, str(root), str(seconds), which]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended when the test is over."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def lines(root: Path) -> list[str]:
    return (root / "log").read_text().splitlines() if (root / "log").exists() else []


def wait_for(root: Path, count: int) -> None:
    until = time.monotonic() + 60
    while len(lines(root)) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_several_processes_make_nested_items_once_each(running: list, tmp_path: Path) -> None:
    running += [start(tmp_path, 0.3, which) for which in ("outer", "inner", "outer", "inner")]
    answers = [process.communicate(timeout=60)[0].strip() for process in running]
    assert answers == ["outer<inner>", "inner", "outer<inner>", "inner"]
    assert sorted(line.split()[0] for line in lines(tmp_path)) == ["inner", "outer"]
    assert not list((tmp_path / ".locks").iterdir())


def test_when_the_first_process_is_killed_the_second_takes_over(running: list, tmp_path: Path) -> None:
    running.append(start(tmp_path, 60))
    wait_for(tmp_path, 1)
    running.append(start(tmp_path, 0.01))
    time.sleep(1)
    assert len(lines(tmp_path)) == 1
    running[0].kill()
    assert running[1].communicate(timeout=60)[0].strip() == "outer<inner>"
    assert {line.split()[1] for line in lines(tmp_path)[1:]} == {str(running[1].pid)}


def test_a_long_wait_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    told: list[tuple[str, int, int]] = []
    holder = lock_of(tmp_path, "kind/name.bin")
    (tmp_path / ".locks").mkdir()
    holder.acquire()

    def wait() -> None:
        with locked(tmp_path, "kind/name.bin", lambda *words: told.append(words)):
            told.append(("held", 0, 0))

    waiter = threading.Thread(target=wait)
    waiter.start()
    while not told:
        time.sleep(0.01)
    assert told == [("waiting for another process to make kind/name.bin", 0, 1)]
    release(holder)
    waiter.join(timeout=10)
    assert told[1:] == [("waiting for another process to make kind/name.bin", 1, 1), ("held", 0, 0)]


def test_a_failure_frees_the_lock(tmp_path: Path) -> None:
    item = CacheItem("kind", "name", ".bin", tmp_path)
    with pytest.raises(ZeroDivisionError):
        item.once(Path.read_bytes, lambda: Path(str(1 // 0)))
    assert item.once(Path.read_bytes, lambda: item.write(lambda file: file.write(b"x"))) == b"x"


@pytest.mark.parametrize("error", [NotImplementedError("no flock here"), OSError(38, os.strerror(38))])
def test_a_file_system_without_locks_is_no_obstacle(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", unable)
    item = CacheItem("kind", "name", ".bin", tmp_path)
    assert item.once(Path.read_bytes, lambda: item.write(lambda file: file.write(b"x"))) == b"x"
