"""The file of a cell that was written on another machine, put in its place here."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from partbench.errors import InputError
from partbench.results.schema import Cell
from partbench.results.store import finished, read_cell


def receive_cell(folder: Path, data: bytes, cell: Cell, overwrite: bool = False) -> tuple[Path, bool]:
    """Write the bytes of a cell's file, all at once or not at all; the file, and whether it was written.

    It is not where the cell is finished already, without a failed metric, unless `overwrite`. Raises InputError if the
    folder cannot be written or a newer version wrote the cell, ValueError for bytes that are no file of this cell.
    """
    path = cell.path(folder)
    if not overwrite and is_done(folder, cell):
        return path, False
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_synced(data, temporary)
            _check(temporary, cell)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"cannot write to '{path.parent}': {why}; choose another folder") from error
    return path, True


def is_done(folder: Path, cell: Cell) -> bool:
    """Whether a cell is finished, and no metric of it failed."""
    path = finished(folder, cell)
    return path is not None and not (read_cell(path)["status"] == "failed").any()


def _check(path: Path, cell: Cell) -> None:
    try:
        found = set(read_cell(path)["cell"].astype(str))
    except (InputError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"the file received for cell {cell.key} cannot be read: {error}") from error
    if found != {cell.key}:
        raise ValueError(f"the file received for cell {cell.key} is of {', '.join(sorted(found)) or 'none'}")


def _write_synced(data: bytes, path: Path) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
