"""Locks of items of the cache: a process that dies, however it does, frees its locks.

An item is locked by itself, and making it may lock what it is made of: an explainer locks its network, the network the
activations, these the renderings. Nothing is made of itself, so that no two processes wait for each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

Progress = Callable[[str, int, int], None]
FOLDER = ".locks"
PATIENCE = 2.0  # seconds of waiting without a word


@contextmanager
def locked(root: Path, identity: str, progress: Progress | None = None) -> Iterator[None]:
    """Hold the lock of an item; wait for the process that holds it, and say so after 2 s.

    A file system without locks is no obstacle: there two processes may make the same item, each of them whole.
    """
    from filelock import Timeout

    lock = lock_of(root, identity)
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        _wait(lock, f"waiting for another process to make {identity}", progress)
    except (OSError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        release(lock)


def lock_of(root: Path, identity: str) -> BaseFileLock:
    """The lock of an item, not yet held."""
    from filelock import FileLock

    name = hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:24]
    return FileLock(root / FOLDER / f"{name}.lock")


def release(lock: BaseFileLock) -> None:
    """Free a lock and remove its file, which is done while the lock is held: who waits for it opens a new one."""
    with suppress(OSError):
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def _wait(lock: BaseFileLock, what: str, progress: Progress | None) -> None:
    if progress:
        progress(what, 0, 1)
    try:
        lock.acquire()
    finally:
        if progress:
            progress(what, 1, 1)
