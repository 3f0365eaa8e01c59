"""Locks of cells and of files: for what one of several runs does alone. A killed process frees its locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from partbench.errors import InputError
from partbench.results.schema import Cell

FOLDER = ".locks"


@contextmanager
def cell_lock(results: Path, cell: Cell, wait: bool = False) -> Iterator[bool]:
    """Whether this process may do a cell now; it alone may, until the block ends.

    False if another run, of this or another process, is doing the cell; with `wait`, its end is waited for.
    Ask `store.finished` inside the block: the other run may have just finished. Temporary files left by killed runs of
    the cell are removed. Raises InputError if the folder of results cannot be written.
    """
    path = cell.path(results)
    with locked(results / FOLDER / f"{path.name}.lock", wait) as mine:
        if mine:
            for left in path.parent.glob(f".{path.name}.*.tmp"):
                left.unlink(missing_ok=True)
        yield mine


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold a lock file, made if absent, while the block runs; False if it is held and not to be waited for."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        yield False
        return
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"cannot lock '{path}': {why}; choose another folder for the results") from error
    try:
        yield True
    finally:
        lock.release()
