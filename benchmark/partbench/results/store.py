"""One immutable Parquet file per cell: first a row group of aggregates, one row per metric, then one row per value.

A file is written under a temporary name, fsynced and renamed, so a file that is there is whole.
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partbench.errors import InputError
from partbench.results import schema, schema_1
from partbench.results.schema import AGGREGATE, COLUMNS, REQUIRED, SCHEMA, TEXTS, VERSION, Cell, slug


def write_cell(
    folder: Path, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, cell: Cell, overwrite: bool = False
) -> Path:
    """Write the rows of a cell, all at once or not at all; a finished cell is left as it is unless `overwrite`.

    Columns of the cell's identity are filled in from it and optional ones may be absent. Unit values are kept to
    float32 precision. Raises InputError if the folder cannot be written or a newer version wrote the cell, ValueError
    for rows that do not fit.
    """
    path = cell.path(folder)
    if finished(folder, cell) and not overwrite:
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
    """The cell's file if it is there, readable and of the present schema, else None.

    Raises InputError if a newer version of partbench wrote it: it can neither be read nor be replaced.
    """
    path = cell.path(folder)
    try:
        with _opened(path) as (_, version):
            return path if version == VERSION else None
    except (OSError, ValueError, pa.ArrowException):
        return None


def read_cell(path: Path) -> pd.DataFrame:
    """The aggregate rows of one cell, of whatever version up to the present one.

    Raises OSError or ValueError if the file is not one, InputError if a newer version wrote it.
    """
    return _read(path, aggregates_only=True).to_pandas()


def find_cell(folder: Path, text: str) -> dict[str, Any]:
    """The first aggregate row of a cell named by its key, the beginning of its key, or its file.

    Raises InputError if no cell, or more than one, is meant.
    """
    paths = _paths(Path(folder))
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


def load_results(
    folder: Path | str = "results", aggregates_only: bool = True, datasets: Iterable[str] | None = None
) -> pd.DataFrame:
    """All cells under a folder, a row per cell and metric, in order of file names; `schema.COLUMNS` says what is in it.

    With `aggregates_only=False` also the values that aggregates are made of (per image, concept or part: `unit` and
    `unit_kind`). With `datasets` only the folders of these are read. Text columns are categoricals with sorted
    categories. Files of earlier versions are read as if written now, but for `schema_version`. A file that is corrupt,
    foreign or of a newer version is named in a warning and left out; without files the frame is empty. Raises
    InputError if there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"no folder of results '{folder}'; run `bench run` first, or name another folder")
    folders = [folder] if datasets is None else [folder / slug(name) for name in datasets]
    tables = [table for place in folders for path in _paths(place) if (table := _read_or_warn(path, aggregates_only))]
    frame = pa.concat_tables(tables or [SCHEMA.empty_table()]).unify_dictionaries().to_pandas()
    return frame.assign(**{name: _sorted_categories(frame[name]) for name in TEXTS})


def _paths(folder: Path) -> list[Path]:
    """The cells under a folder, without those in hidden folders."""
    found = folder.rglob("*.parquet")
    return sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts))


def _table(frame: pd.DataFrame, cell: Cell) -> pa.Table:
    if wrong := [str(name) for name in frame.columns if name not in COLUMNS]:
        raise ValueError(f"rows of a cell have columns {', '.join(wrong)}, expected some of {', '.join(COLUMNS)}")
    if absent := [name for name in REQUIRED if name not in frame.columns or frame[name].isna().any()]:
        raise ValueError(f"rows of a cell lack {', '.join(absent)}")
    for name, value in cell.columns.items():
        if name in frame.columns and not (frame[name] == value).all():
            raise ValueError(f"rows of cell {cell.key} have {name} '{frame[name].iloc[0]}', expected '{value}'")
    units = frame["unit"] != AGGREGATE
    if units.all():
        raise ValueError("rows of a cell lack an aggregate, whose unit is 'all'")
    frame = frame.assign(**cell.columns, schema_version=VERSION).reindex(columns=list(COLUMNS))
    frame[TEXTS] = frame[TEXTS].astype(object).where(frame[TEXTS].notna(), "")
    values = frame["value"].astype(float).to_numpy()
    frame["value"] = np.where(units, values.astype(np.float32).astype(float), values)
    frame["created_at"] = pd.to_datetime(frame["created_at"], utc=True)
    frame[["images", "threads"]] = frame[["images", "threads"]].astype(float).fillna(0)
    frame["unit_kind"] = frame["unit_kind"].where(units, AGGREGATE)
    table = pa.Table.from_pandas(frame, schema=schema.FILE_SCHEMA, preserve_index=False)
    return table.replace_schema_metadata(None)


def _write_synced(table: pa.Table, path: Path) -> None:
    # Splitting the bytes of values packs the zeros that float32 precision leaves; statistics cost more than they save.
    compact: dict[str, Any] = {"use_dictionary": TEXTS, "use_byte_stream_split": schema.FLOATS, "compression_level": 19}
    plain = {"store_schema": False, "write_statistics": False, "write_page_checksum": True}
    with open(path, "xb") as file:
        with pq.ParquetWriter(file, table.schema, compression="zstd", **compact, **plain) as writer:
            writer.write_table(_aggregates(table))
            if len(values := table.filter(pc.not_equal(table["unit"], AGGREGATE))):
                writer.write_table(values)
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


@contextmanager
def _opened(path: Path) -> Iterator[tuple[pq.ParquetFile, int]]:
    """The file of a cell and its schema's version.

    Raises OSError or (pyarrow's) ValueError for what is no whole Parquet file, ValueError for what is no cell,
    InputError for a newer version.
    """
    metadata = pq.read_metadata(path)
    names = metadata.schema.to_arrow_schema().names
    texts = [name for name in names if name in TEXTS]
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=texts, page_checksum_verification=True) as file:
        version = _version(file, names)
        if version > VERSION:
            raise InputError(f"'{path}' has schema {version}, newer than {VERSION}; upgrade partbench")
        _check_columns(file, COLUMNS if version == VERSION else schema_1.COLUMNS)
        yield file, version


def _version(file: pq.ParquetFile, names: Sequence[str]) -> int:
    if "schema_version" not in names:
        return schema_1.VERSION
    column = file.read_row_group(0, columns=["schema_version"])["schema_version"] if file.num_row_groups else []
    found = column[0].as_py() if len(column) else None
    if not isinstance(found, int) or found <= schema_1.VERSION:
        raise ValueError(f"schema_version is {found!r}, expected {VERSION}")
    return found


def _check_columns(file: pq.ParquetFile, expected: Sequence[str]) -> None:
    found = file.schema_arrow
    if found.names != list(expected):
        raise ValueError(f"columns differ: {', '.join(sorted(set(found.names) ^ set(expected))) or 'another order'}")
    types = [(field.name, field.type, SCHEMA.field(field.name).type) for field in found]
    if wrong := [f"{name} is {kind}, expected {right}" for name, kind, right in types if kind != right]:
        raise ValueError("; ".join(wrong))


def _read(path: Path, aggregates_only: bool) -> pa.Table:
    with _opened(path) as (file, version):
        table = file.read_row_group(0) if aggregates_only and version == VERSION else file.read()
    table = _aggregates(table) if aggregates_only else table
    return (table if version == VERSION else schema_1.upgrade(table)).cast(SCHEMA)


def _read_or_warn(path: Path, aggregates_only: bool) -> pa.Table | None:
    try:
        return _read(path, aggregates_only)
    except (InputError, OSError, ValueError, pa.ArrowException) as error:
        warnings.warn(f"ignored '{path}': {str(error).splitlines()[0]}", stacklevel=3)
        return None


def _aggregates(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["unit"], AGGREGATE))


def _sorted_categories(column: pd.Series) -> pd.Series:
    return column.cat.set_categories(sorted(column.cat.categories))
