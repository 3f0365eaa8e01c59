"""ZIP archives of few, small files: equal files make equal bytes, and what strangers send is read without harm.

Entries are stored, not compressed, so that none can expand; they are read into memory, so that none is written where
its name leads.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from partbench.errors import InputError
from partbench.results.plain_text import printable

MOST_BYTES = 256 << 20  # of an archive
MOST_ENTRIES = 20_000
_LONGEST = 400  # characters of a name
_NAME = re.compile(r"(?!\.)[\w@+.=~-]+(/(?!\.)[\w@+.=~-]+)*")
_WRITTEN = (1980, 1, 1, 0, 0, 0)  # the time of all entries
_FILE = (stat.S_IFREG | 0o644) << 16


def packed(files: Mapping[str, bytes]) -> bytes:
    """An archive of files by name. Raises InputError if it would be larger than archives may be."""
    if len(files) > MOST_ENTRIES or sum(map(len, files.values())) > MOST_BYTES:
        raise InputError(f"the files are too many or too large for one archive ({_limits()}); name fewer cells")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _WRITTEN)
            entry.external_attr, entry.create_system = _FILE, 3
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def read_archive(path: Path) -> bytes:
    """The bytes of an archive. Raises InputError for what is no regular file, or larger than archives may be."""
    try:
        about = path.stat()
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):  # a pipe would be waited for
            raise InputError(f"'{path}' is no regular file; expected a bundle made by `bench submit`")
        if about.st_size > MOST_BYTES:
            raise InputError(f"'{path}' is larger than an archive may be ({_limits()})")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror or error}") from error


def unpacked(path: Path, data: bytes | None = None) -> dict[str, bytes]:
    """The files of an archive by name; `data` are its bytes, where they were read already.

    Raises InputError, in one line, for what is no archive of `packed`: entries that are compressed, encrypted, links,
    twice there, both a file and a folder, or named as no file of a folder may be, and archives that are damaged or too
    large.
    """
    data = read_archive(path) if data is None else data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check(entries)
            return {entry.filename: archive.read(entry) for entry in entries}
    except _Refused as error:
        raise InputError(f"'{path}' is refused: {error}") from error
    except Exception as error:  # what zipfile raises of damaged bytes is of many kinds
        found = printable(str(error))[:200] or type(error).__name__
        raise InputError(f"'{path}' is no ZIP archive, or a damaged one: {found}") from error


class _Refused(ValueError):
    """An entry that `packed` would not write."""


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise _Refused(f"it holds more than an archive may ({_limits()})")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if len(name) > _LONGEST or not _NAME.fullmatch(name):
            raise _Refused(f"an entry is named {printable(name)[:100]!r}, expected a relative path without '..'")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise _Refused(f"{name} is no regular file")
        if entry.flag_bits & 1 or entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise _Refused(f"{name} is compressed or encrypted; `bench submit` stores files as they are")
        if name.casefold() in seen:
            raise _Refused(f"{name} is there twice")
        seen.add(name.casefold())
    for name in seen:
        if both := seen.intersection(parent.as_posix() for parent in PurePosixPath(name).parents):
            raise _Refused(f"{min(both)} is both a file and a folder")


def _limits() -> str:
    return f"{MOST_BYTES >> 20} MB, {MOST_ENTRIES} files"
