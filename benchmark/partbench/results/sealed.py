"""Parquet files with a digest of all their bytes, so that no flipped bit and no truncation goes unnoticed.

The footer holds `partbench.sha256`: the SHA-256 of the file as it is with 64 zeros in place of the digest. To readers
of Parquet it is one more entry of the file's metadata.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from partbench.errors import InputError

KEY = "partbench.sha256"
_BLANK = b"0" * 64
_ABANDONED = 3600.0  # seconds after which nobody is still writing a file
_MARK = KEY.encode() + b"\x18\x40"  # as in the footer, before the digest: the key, the kind of the field, its length


class Damaged(ValueError):
    """A file that is not what was written: changed, truncated, or another kind of file. Its text is one line."""


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What cannot be written below a folder is the user's mistake: OSError becomes InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write to '{folder}': {error.strerror or error}; choose another folder") from error


def write_sealed(
    path: Path, row_groups: Iterable[pa.Table], metadata: Mapping[str, str] | None = None, **writing: Any
) -> None:
    """Write tables of one schema as the row groups of a file, all at once or not at all: fsynced, then renamed.

    `metadata` is added to the file's; `writing` are options of `pyarrow.parquet.ParquetWriter`. Raises OSError if the
    file cannot be written.
    """
    write_whole(path, sealed(row_groups, metadata or {}, **writing))


def write_whole(path: Path, data: bytes, check: Callable[[Path], object] = lambda written: None) -> None:
    """Write a file, all at once or not at all: fsynced under another name, then renamed. Raises OSError.

    What is no regular file, such as a device or a pipe, is not replaced. `check` is given the file under its other
    name, and refuses it by raising.
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


def sealed(row_groups: Iterable[pa.Table], metadata: Mapping[str, str], **writing: Any) -> bytes:
    """The bytes of a Parquet file with its digest."""
    first, *others = row_groups
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, first.schema, store_schema=False, write_page_checksum=True, **writing) as writer:
        for table in (first, *others):
            writer.write_table(table)
        writer.add_key_value_metadata({**metadata, KEY: _BLANK.decode()})
    data, place = buffer.getbuffer(), _place(buffer.getvalue())
    data[place : place + len(_BLANK)] = hashlib.sha256(data).hexdigest().encode()
    return bytes(data)


def read_bytes(path: Path) -> tuple[bytes, bool]:
    """The bytes of a file and whether it has a digest.

    Raises Damaged if its digest is of other bytes, or if it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Damaged(error.strerror or str(error)) from error
    except ValueError as error:  # a name with a null byte, or of bytes that are no text
        raise Damaged(f"no file has this name: {error}") from error
    place = _place(data)
    if place < 0:
        return data, False
    view, end = memoryview(data), place + len(_BLANK)
    found = hashlib.sha256(view[:place])
    found.update(_BLANK)
    found.update(view[end:])
    if found.hexdigest().encode() != data[place:end]:
        raise Damaged("its bytes are not those that were written (SHA-256 differs)")
    return data, True


def _place(data: bytes) -> int:
    """Where the digest begins; negative if there is none."""
    mark = data.rfind(_MARK)
    return mark if mark < 0 else mark + len(_MARK)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
