"""The file of a cell that was written on another machine, put in its place here."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from partbench.errors import InputError
from partbench.results.schema import Cell
from partbench.results.store import done, read_cell
from partbench.whole_files import write_whole, writing


def receive_cell(folder: Path, data: bytes, cell: Cell, overwrite: bool = False) -> tuple[Path, bool]:
    """Write the bytes of a cell's file, all at once or not at all; the file, and whether it was written.

    It is not where the cell is finished already, without a failed metric, unless `overwrite`. Raises InputError if the
    folder cannot be written or a newer version wrote the cell, ValueError for bytes that are no file of this cell.
    """
    path = cell.path(folder)
    if not overwrite and done(folder, cell):
        return path, False
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data, lambda written: _check(written, cell))
    return path, True


def _check(path: Path, cell: Cell) -> None:
    try:
        found = set(read_cell(path)["cell"].astype(str))
    except (InputError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"the file received for cell {cell.key} cannot be read: {error}") from error
    if found != {cell.key}:
        raise ValueError(f"the file received for cell {cell.key} is of {', '.join(sorted(found)) or 'none'}")
