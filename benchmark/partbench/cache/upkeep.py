"""Upkeep of the cache folder: what is in it, what is damaged, what killed runs have left; clearing it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from partbench.cache.folder import check_cache_writable
from partbench.cache.item import PART, DamagedItem, check, checksum, discard
from partbench.cache.lock import FOLDER, lock_of, release

DAY = 86_400.0
ADOPTABLE = (".npy", ".npz", ".safetensors")
CHECKED = re.compile(r"(?P<name>.+)\.[0-9a-f]{8}(?P<suffix>\.[a-z]+)")
WRITTEN = re.compile(rf"\.(?P<item>.+)\.[0-9a-f]{{32}}{re.escape(PART)}")


@dataclass(frozen=True)
class CachedFile:
    """A file of the cache: its kind (the folder), its size in bytes and the time it was written.

    `identity` is that of its item; None for a file whose name holds no checksum, which is never used.
    """

    path: Path
    kind: str
    identity: str | None
    size: int
    written: float

    def fault(self) -> str:
        """How it is damaged; "" if it is as it was written."""
        if self.identity is None:
            return "has no checksum"
        try:
            check(self.path, self.identity)
        except DamagedItem as error:
            return str(error)
        return ""


def prepare_cache() -> None:
    """Before a run: test that the cache folder can be written to, and sweep it. Raises InputError if it cannot."""
    sweep(check_cache_writable())


def cached_files(folder: Path, kinds: Collection[str] = ()) -> Iterator[CachedFile]:
    """The files of these kinds (default: of all), those of unfinished writes left out."""
    for path in sorted(folder.glob("*/**/*")):
        kind = path.relative_to(folder).parts[0]
        if kind == FOLDER or (kinds and kind not in kinds) or path.name.endswith(PART):
            continue
        if path.is_dir() and not path.is_symlink() and not CHECKED.fullmatch(path.name):
            continue
        found = path.lstat()
        yield CachedFile(path, kind, _identity(path, folder), found.st_size, found.st_mtime)


def adopt(file: CachedFile, folder: Path) -> None:
    """Trust a file of an earlier version as it is: give it the name that it would have had. Others stay."""
    if file.identity is not None or file.path.suffix not in ADOPTABLE or not file.path.is_file():
        return
    identity = file.path.relative_to(folder).as_posix()
    path = file.path.with_name(f"{file.path.stem}.{checksum(file.path, identity)}{file.path.suffix}")
    os.replace(file.path, path)


def sweep(folder: Path) -> int:
    """Remove what killed runs have left: unfinished files and locks that no process holds; returns how many."""
    parts = [path for path in folder.rglob(f"*{PART}") if not path.is_dir() and _abandoned(path, folder)]
    locks = [path for path in folder.glob(f"{FOLDER}/*.lock") if _old(path)]
    for path in (*parts, *locks):
        discard(path)
    return len(parts) + len(locks)


def clear(folder: Path, kinds: Collection[str] = ()) -> int:
    """Remove the files of these kinds (default: of all), finished or abandoned; returns how many.

    A run that has mapped or read a file is not disturbed.
    """
    files = list(cached_files(folder, kinds))
    for file in files:
        discard(file.path)
    swept = sweep(folder)
    for place in sorted(folder.glob("*/**/"), reverse=True):  # folders inside others first
        if FOLDER not in place.relative_to(folder).parts[:1]:
            with suppress(OSError):  # it is not empty
                place.rmdir()
    return len(files) + swept


def _identity(path: Path, folder: Path) -> str | None:
    found = CHECKED.fullmatch(path.name)
    if found is None:
        return None
    return (path.parent.relative_to(folder) / f"{found['name']}{found['suffix']}").as_posix()


def _abandoned(path: Path, folder: Path) -> bool:
    """Whether no process writes a file any more: the lock of its item is free. Of other files, whether they are old."""
    found = WRITTEN.fullmatch(path.name)
    if found is None or path.parent == folder:
        return _old(path)
    return _free(folder, (path.parent.relative_to(folder) / found["item"]).as_posix()) or _old(path)


def _free(folder: Path, identity: str) -> bool:
    from filelock import Timeout

    lock = lock_of(folder, identity)
    try:
        Path(lock.lock_file).parent.mkdir(exist_ok=True)
        lock.acquire(timeout=0)
    except (Timeout, OSError, NotImplementedError):
        return False
    release(lock)
    return True


def _old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > DAY
    except FileNotFoundError:
        return False
