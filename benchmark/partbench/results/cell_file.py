"""Reading the file of a cell: what is not whole, or no cell, is told from it in one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partbench.errors import InputError
from partbench.results import schema, schema_1
from partbench.results.plain_text import printable
from partbench.results.schema import AGGREGATE, COLUMNS, LATER, SCHEMA, SEALED, TEXTS, VERSION, cell_path
from partbench.results.sealed import Damaged, read_bytes

COMPLETE = (*(name for name in TEXTS if name not in LATER), "created_at", "seed", "images", "schema_version", "threads")
KEY = re.compile("[0-9a-f]{16}")
MENDED = "run its cell again, which makes the file anew, or remove it"
MOST_ROWS = 4_000_000  # of a cell that comes from elsewhere
MOST_UNPACKED = 256 << 20  # bytes of such a cell


def read_table(path: Path, aggregates_only: bool) -> pa.Table:
    """The rows of a cell in the columns and names of the present version.

    Raises Damaged for what is not a whole cell, InputError if a newer version wrote it.
    """
    table, version = parsed(path, aggregates_only)
    table = aggregates_of(table) if aggregates_only else table
    if version > schema_1.VERSION:
        return _with_all_columns(table)
    try:
        return schema_1.upgrade(table).cast(SCHEMA)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:  # such as of options that are no JSON
        raise Damaged(f"its rows are none of version 1: {printable(str(error))[:200]}") from error


def read_evidence(path: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of the rows of images of a cell; files of version 1 hold none. Raises as `read_table` does."""
    table, version = parsed(path, aggregates_only=False, columns=[*columns, "unit_kind"])
    if version == schema_1.VERSION:
        return SCHEMA.empty_table().select(columns)
    rows, right = _rows_of(table, "unit_kind", "image").select(columns), [SCHEMA.field(name) for name in columns]
    return rows.cast(pa.schema(right))


def _with_all_columns(table: pa.Table) -> pa.Table:
    """The table with the columns that its version lacked, null."""
    for name in COLUMNS[len(table.column_names) :]:
        table = table.append_column(name, pa.nulls(len(table), SCHEMA.field(name).type))
    return table.cast(SCHEMA)


def parsed(path: Path, aggregates_only: bool, columns: list[str] | None = None) -> tuple[pa.Table, int]:
    """Rows as they are in the file, and the version of its schema; only files of version 1 mix aggregates and others.

    With `columns` only these of a file that has them, without the row group of aggregates if there are others. Raises
    Damaged or InputError (a newer version).
    """
    data, sealed = read_bytes(path)
    try:
        buffer = pa.BufferReader(data)
        about = pq.read_metadata(buffer)
        reading = {"read_dictionary": [name for name in about.schema.names if name in TEXTS], "metadata": about}
        with pq.ParquetFile(buffer, page_checksum_verification=True, **reading) as file:
            version = _version(file)
            if version > VERSION:
                raise InputError(f"'{path}' has schema {version}, newer than {VERSION}; upgrade partbench")
            _check_columns(file, version)
            if version >= SEALED and not sealed:
                raise Damaged("it has no digest of its bytes")
            groups = range(file.num_row_groups)
            if version > schema_1.VERSION and (aggregates_only or columns):
                groups = groups[:1] if aggregates_only else groups[1:] or groups
            table = file.read_row_groups(groups, columns, use_threads=False)
            table.validate(full=True)
            _check_values(table)
    except (InputError, Damaged):
        raise
    except Exception as error:  # what pyarrow raises of damaged bytes is of many kinds
        raise Damaged(printable(str(error).partition("\n")[0]) or type(error).__name__) from error
    return table, version


def _version(file: pq.ParquetFile) -> int:
    if "schema_version" not in file.schema_arrow.names:
        return schema_1.VERSION
    column = []
    if file.num_row_groups:
        column = file.read_row_group(0, columns=["schema_version"], use_threads=False)["schema_version"]
    found = column[0].as_py() if len(column) else None
    if not isinstance(found, int) or found <= schema_1.VERSION:
        raise Damaged(f"schema_version is {found!r}, expected 2 to {VERSION}")
    return found


def _check_columns(file: pq.ParquetFile, version: int) -> None:
    later = {VERSION: SCHEMA, 4: schema.SCHEMA_4, 3: schema.SCHEMA_3}
    found, right = file.schema_arrow, later.get(version, schema.SCHEMA_2)
    if version > schema_1.VERSION and found.equals(right):
        return
    expected = list(schema_1.COLUMNS) if version == schema_1.VERSION else right.names
    if found.names != expected:
        raise Damaged(f"columns differ: {', '.join(sorted(set(found.names) ^ set(expected))) or 'another order'}")
    types = [(field.name, field.type, right.field(field.name).type) for field in found]
    if wrong := [f"{name} is {kind}, expected {other}" for name, kind, other in types if kind != other]:
        raise Damaged("; ".join(wrong))


def _check_values(table: pa.Table) -> None:
    """Raise Damaged where a value is absent that every row has."""
    complete = [name for name in table.schema.names if name in COMPLETE]
    if absent := [name for name in complete if table[name].null_count]:
        raise Damaged(f"rows lack {', '.join(absent)}")


def aggregates_of(table: pa.Table) -> pa.Table:
    """The rows of aggregates."""
    return _rows_of(table, "unit", AGGREGATE)


def _rows_of(table: pa.Table, column: str, text: str) -> pa.Table:
    """The rows with a text in a column; the table itself if these are all."""
    wanted = pc.equal(table[column], text)
    return table if pc.all(wanted, skip_nulls=False).as_py() else table.filter(wanted)


def read_finished(path: Path, place: str) -> pd.DataFrame:
    """All rows of the file of a finished cell, which lies at `place` below a folder of results.

    Raises Damaged for a file that is not a whole cell of that place, or of a cell that failed, InputError for a newer
    version. A reason is one line.
    """
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MOST_ROWS:
                raise Damaged(f"it has {file.metadata.num_rows} rows, more than {MOST_ROWS}")
            size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
            if size > MOST_UNPACKED:
                raise Damaged(f"it has {size} bytes when unpacked, more than {MOST_UNPACKED}")
    except (OSError, pa.ArrowException) as error:
        raise Damaged(printable(str(error).partition("\n")[0])[:200]) from error
    rows: pd.DataFrame = read_table(path, aggregates_only=False).to_pandas()
    aggregates = rows[rows["unit"] == AGGREGATE]
    if aggregates.empty:
        raise Damaged("it holds no aggregate")
    if len(set(rows["cell"])) > 1:
        raise Damaged("it holds rows of several cells")
    if not KEY.fullmatch(key := str(aggregates.iloc[0]["cell"])):  # a status is looked up by this key
        raise Damaged(f"its key is {printable(key)[:60]!r}, expected 16 hexadecimal digits")
    if (expected := cell_path(Path(), aggregates.iloc[0]).as_posix()) != place:
        raise Damaged(f"it lies at {place}, expected {expected}")
    failed = aggregates[aggregates["status"] == "failed"]
    if len(failed):
        one = failed.iloc[0]
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise Damaged(f"{one['metric']}{more} failed: {printable(str(one['reason']))[:200]}")
    return rows
