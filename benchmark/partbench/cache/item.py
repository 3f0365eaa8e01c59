"""Items of the cache: made once, checked whenever they are read, never half written.

The file of an item is `kind/name.CHECKSUM.suffix`. The CRC-32 of its name and bytes stands in the name of the file, so
that one rename publishes both: no kill leaves a file without its checksum, or beside a wrong one. Standard tools read
the file, as nothing is added to its bytes.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
import uuid
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from partbench.cache.folder import cache_folder
from partbench.cache.lock import Progress, locked

T = TypeVar("T")
PART = ".part"  # ends the names of files that are being written
BLOCK = 1 << 20  # bytes read at once
SETTLED = 1_000_000_000  # ns after which a further write would change the time of a file
TRANSIENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)  # they say nothing about the file

# Files that this process has found whole, with device, inode, size and time: large arrays are mapped many times.
_CHECKED: dict[str, tuple[int, ...]] = {}


class DamagedItem(ValueError):
    """A cached file is not as it was written; the text says why."""


@dataclass(frozen=True)
class CacheItem:
    """What is cached under a kind (a folder), a name (slashes make folders) and a suffix (".npy").

    `root` is the cache folder, by default that of `cache_folder`.
    """

    kind: str
    name: str
    suffix: str
    root: Path | None = None

    def once(self, read: Callable[[Path], T], make: Callable[[], Path], progress: Progress | None = None) -> T:
        """What `read` makes of the item's file, whose checksum is tested first.

        If there is none, `make` computes the item and returns what `write` gave. Of several processes one makes it, the
        others wait for it; if it fails or dies, the next one takes over. `progress` is told of a wait of more than 2 s.
        A file that is damaged, or that `read` cannot read, is removed and made again with a warning. Raises what `make`
        raises, what `read` raises of a new file, and OSError where the cache cannot be read or written.
        """
        found = self._read(read, mend=False)
        if found is None:
            with locked(self._root, self.identity, progress):
                found = self._read(read, mend=True)
                if found is None:
                    found = read(make())
        return found

    def write(self, fill: Callable[[BinaryIO], object]) -> Path:
        """Let `fill` write the file, then publish it under the checksum of its bytes; returns where it is.

        The bytes are on the disk before the file has its name. Raises OSError, with nothing left behind, if they cannot
        be written, such as on a full disk.
        """
        folder = self._stem.parent
        temporary = folder / f".{self._stem.name}{self.suffix}.{uuid.uuid4().hex}{PART}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(temporary, "xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            path = folder / f"{self._stem.name}.{checksum(temporary, self.identity)}{self.suffix}"
            for other in self.files():
                discard(other)
            os.replace(temporary, path)
            return path
        except OSError as error:
            if error.filename is not None and error.filename != str(temporary):  # of what `fill` reads
                raise
            raise OSError(error.errno, f"{error.strerror} while writing to the cache", str(folder)) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def exists(self) -> bool:
        """Whether there is a file, damaged or not."""
        return bool(self.files())

    def files(self) -> list[Path]:
        """The files under this name: one, or more where one was damaged, or none."""
        pattern = re.compile(rf"{re.escape(self._stem.name)}\.[0-9a-f]{{8}}{re.escape(self.suffix)}")
        try:
            names = os.listdir(self._stem.parent)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [self._stem.parent / name for name in names if pattern.fullmatch(name)]

    @property
    def identity(self) -> str:
        """Kind, name and suffix: what the checksum includes, so that no file passes for that of another item."""
        return f"{self.kind}/{self.name}{self.suffix}"

    @property
    def _root(self) -> Path:
        return self.root or cache_folder()

    @property
    def _stem(self) -> Path:
        return self._root / self.kind / self.name

    def _read(self, read: Callable[[Path], T], mend: bool) -> T | None:
        for path in self.files():
            try:
                check(path, self.identity)
                return read(path)
            except Exception as error:  # of damaged bytes libraries raise almost anything
                if isinstance(error, MemoryError) or getattr(error, "errno", None) in TRANSIENT:
                    raise
                if mend:
                    reason = " ".join(str(error).split()) or type(error).__name__
                    warnings.warn(f"{path} is damaged ({reason}); it is made again", stacklevel=4)
                    discard(path)
        return None


def check(path: Path, identity: str) -> None:
    """Raise DamagedItem if a cached file does not have the checksum that its name holds.

    A process reads a file once for this, until the file changes.
    """
    try:
        found = path.stat()
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if _CHECKED.get(str(path)) == state:
            return
        seen = checksum(path, identity)
    except OSError as error:
        if error.errno in TRANSIENT:
            raise
        raise DamagedItem(error.strerror or str(error)) from error
    expected = path.name.removesuffix(f"{path.suffix}").rpartition(".")[2]
    if seen != expected:
        raise DamagedItem(f"its checksum is {seen}, expected {expected}")
    if time.time_ns() - found.st_mtime_ns > SETTLED:
        _CHECKED[str(path)] = state


def checksum(path: Path, identity: str) -> str:
    """8 hex digits: CRC-32 of an item's identity and of the bytes of a file."""
    value, block = zlib.crc32(identity.encode(errors="surrogatepass")), memoryview(bytearray(BLOCK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(block):
            value = zlib.crc32(block[:count], value)
    return f"{value:08x}"


def discard(path: Path) -> None:
    """Remove a file, a link or a folder from the cache; nothing happens if another process was faster."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
