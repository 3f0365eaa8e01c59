"""One immutable Parquet file per cell, one row per unit value and one aggregate row per metric.

A file is written under a temporary name, fsynced and renamed, so a file that is there is whole.
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partbench.errors import InputError
from partbench.results.schema import AGGREGATE, COLUMNS, FILE_SCHEMA, FLOATS, REQUIRED, SCHEMA, TEXTS, Cell, safe_name


def write_cell(
    folder: Path, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, cell: Cell, overwrite: bool = False
) -> Path:
    """Write the rows of a cell, all at once or not at all; a finished cell is left as it is unless `overwrite`.

    Columns of the cell's identity are filled in from it and optional ones may be absent. Unit values are kept to
    float32 precision. Raises InputError if the folder cannot be written, ValueError for rows that do not fit.
    """
    path = cell.path(folder)
    if not overwrite and finished(folder, cell):
        return path
    table = _table(pd.DataFrame(rows), cell)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_synced(table, temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"cannot write to '{path.parent}': {why}; choose another folder") from error
    return path


def finished(folder: Path, cell: Cell) -> Path | None:
    """The cell's file if it is there and readable, else None."""
    path = cell.path(folder)
    try:
        _open(path).close()
    except (OSError, ValueError, pa.ArrowException):
        return None
    return path


def read_cell(path: Path) -> pd.DataFrame:
    """The aggregate rows of one cell. Raises OSError or ValueError if the file is not one."""
    with _open(path) as file:
        return _aggregates(file.read()).to_pandas()


def find_cell(folder: Path, text: str) -> dict[str, Any]:
    """The first aggregate row of a cell named by its key, the beginning of its key, or its file.

    Raises InputError if no cell, or more than one, is meant.
    """
    paths = sorted(Path(folder).rglob("*.parquet"))
    matching = [path for path in paths if path.stem.rpartition("-")[2].startswith(text)]
    if text.endswith(".parquet"):
        matching = [Path(text)]
    if not matching:
        raise InputError(f"no cell '{text}' in {folder} ({len(paths)} cells); keys are the last part of file names")
    if len(matching) > 1:
        some = ", ".join(path.stem for path in matching[:4])
        raise InputError(f"'{text}' could be {len(matching)} cells: {some}; write more of the key")
    try:
        row: dict[str, Any] = read_cell(matching[0]).iloc[0].to_dict()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read '{matching[0]}': {str(error).splitlines()[0]}") from error
    return row


def read_results(folder: Path, aggregates_only: bool = False, datasets: Iterable[str] | None = None) -> pd.DataFrame:
    """All cells under a folder, in order of file names; text columns are categoricals with sorted categories.

    With `datasets` only the folders of these are read. A file that is corrupt or has another schema is named in a
    warning and left out; without files the frame is empty.
    """
    folders = [Path(folder)] if datasets is None else [Path(folder) / safe_name(name) for name in datasets]
    paths = sorted(path for place in folders for path in place.rglob("*.parquet"))
    tables = [table for path in paths if (table := _read(path, aggregates_only))]
    frame = pa.concat_tables(tables or [SCHEMA.empty_table()]).unify_dictionaries().to_pandas()
    return frame.assign(**{name: _sorted_categories(frame[name]) for name in TEXTS})


def _table(frame: pd.DataFrame, cell: Cell) -> pa.Table:
    if wrong := [str(name) for name in frame.columns if name not in COLUMNS]:
        raise ValueError(f"rows of a cell have columns {', '.join(wrong)}, expected some of {', '.join(COLUMNS)}")
    if absent := [name for name in REQUIRED if name not in frame.columns or frame[name].isna().any()]:
        raise ValueError(f"rows of a cell lack {', '.join(absent)}")
    for name, value in cell.columns.items():
        if name in frame.columns and not (frame[name] == value).all():
            raise ValueError(f"rows of cell {cell.key} have {name} '{frame[name].iloc[0]}', expected '{value}'")
    frame = frame.assign(**cell.columns).reindex(columns=list(COLUMNS))
    frame[TEXTS] = frame[TEXTS].astype(object).where(frame[TEXTS].notna(), "")
    units = frame["unit"] != AGGREGATE
    values = frame["value"].astype(float).to_numpy()
    frame["value"] = np.where(units, values.astype(np.float32).astype(float), values)
    frame["created_at"] = pd.to_datetime(frame["created_at"], utc=True)
    frame["images"] = frame["images"].fillna(0)
    return pa.Table.from_pandas(frame, schema=FILE_SCHEMA, preserve_index=False).replace_schema_metadata(None)


def _write_synced(table: pa.Table, path: Path) -> None:
    # Splitting the bytes of values packs the zeros that float32 precision leaves; statistics cost more than they save.
    compact: dict[str, Any] = {"use_dictionary": TEXTS, "use_byte_stream_split": FLOATS, "compression_level": 19}
    plain = {"store_schema": False, "write_statistics": False, "write_page_checksum": True}
    with open(path, "xb") as file:
        pq.write_table(table, file, compression="zstd", **compact, **plain)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> pq.ParquetFile:
    """Raises OSError or (pyarrow's) ValueError for what is no whole Parquet file, ValueError for another schema."""
    metadata = pq.read_metadata(path)
    found = metadata.schema.to_arrow_schema().names
    if found != list(COLUMNS):
        raise ValueError(f"columns differ: {', '.join(sorted(set(found) ^ set(COLUMNS))) or 'another order'}")
    file = pq.ParquetFile(path, metadata=metadata, read_dictionary=TEXTS, page_checksum_verification=True)
    types = [(field.name, field.type, SCHEMA.field(field.name).type) for field in file.schema_arrow]
    if wrong := [f"{name} is {found}, expected {expected}" for name, found, expected in types if found != expected]:
        file.close()
        raise ValueError("; ".join(wrong))
    return file


def _read(path: Path, aggregates_only: bool) -> pa.Table | None:
    try:
        with _open(path) as file:
            table = file.read()
            return (_aggregates(table) if aggregates_only else table).cast(SCHEMA)
    except (OSError, ValueError, pa.ArrowException) as error:
        warnings.warn(f"ignored '{path}': {str(error).splitlines()[0]}", stacklevel=3)
        return None


def _aggregates(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["unit"], AGGREGATE))


def _sorted_categories(column: pd.Series) -> pd.Series:
    return column.cat.set_categories(sorted(column.cat.categories))
