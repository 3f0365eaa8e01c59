"""Files that are written all at once or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from partbench.errors import InputError

_ABANDONED = 3600.0  # seconds after which nobody is still writing a file


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What cannot be written below a folder is the user's mistake: OSError becomes InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write to '{folder}': {error.strerror or error}; choose another folder") from error


def expect_writable(folder: Path) -> None:
    """Make a folder if there is none, and try to make a file in it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".partbench-{uuid.uuid4().hex}"
    probe.touch()
    probe.unlink()


def write_whole(path: Path, data: bytes, check: Callable[[Path], object] = lambda written: None) -> None:
    """Write a file, all at once or not at all: fsynced under another name, then renamed. Raises OSError.

    What is no regular file, such as a device or a pipe, is not replaced. `check` is given the file under its other
    name, and may change its permissions, or refuse it by raising.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, f"{path.name} is there and is no regular file")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        check(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def sweep_unfinished(folder: Path) -> None:
    """Remove what killed runs left half written below a folder an hour ago or earlier; what is being written stays."""
    limit = time.time() - _ABANDONED
    for path in folder.rglob(".*.tmp"):
        with contextlib.suppress(OSError):  # another run may remove it first
            if path.lstat().st_mtime < limit:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
