"""Room for a training on the disk, and its folder, which one process uses at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from partbench.cache.lock import release
from partbench.errors import InputError

LOCK = ".lock"
STATES = 9  # sizes of the weights: two checkpoints of weights, best weights and two moments, and what is kept


def expect_space(folder: Path, weights: int) -> None:
    """Raise InputError where the disk has no room for the checkpoints of a network of so many bytes."""
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free, needed = shutil.disk_usage(place).free, STATES * weights
    if free < needed:
        found = f"{free / 2**20:.0f} MB are free at {place}"
        raise InputError(f"training needs {needed / 2**20:.0f} MB for checkpoints, {found}; choose another --out")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make a folder, and use it alone; if it is empty in the end, it is removed.

    Raises InputError where it cannot be made, or another process uses it.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(f"another process trains in {folder}; wait for it, or choose another --name") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}; choose another --out") from error
    try:
        yield
    finally:
        release(lock)
        with suppress(OSError):  # it holds a checkpoint, or has its final name
            folder.rmdir()
