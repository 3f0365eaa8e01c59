"""One immutable Parquet file per cell: first a row group of aggregates, one row per metric, then one row per value.

A file is written under a temporary name, fsynced and renamed, and holds a digest of its bytes: a file that is there is
whole, and one that changed later is noticed.
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int

from partbench.errors import InputError
from partbench.results import schema
from partbench.results.asked import record
from partbench.results.cell_file import MENDED, aggregates_of, parsed, read_table
from partbench.results.folders import CELL, cell_paths
from partbench.results.index import AGGREGATES, ASKED_AT, EVIDENCE, EVIDENCE_COLUMNS, indexed, parts, parts_beside
from partbench.results.schema import (
    AGGREGATE,
    COLUMNS,
    OLDEST_FINISHED,
    REQUIRED,
    SCHEMA,
    TEXTS,
    VERSION,
    Cell,
    safe_name,
    slug,
)
from partbench.results.sealed import Damaged, sealed, write_sealed
from partbench.results.submission_history import COLUMN, REFERENCE, statuses
from partbench.whole_files import writing

# A fifth smaller than zstd with `unit` in codes and the bytes of numbers split: ids of images repeat in the same order,
# metric after metric. It takes a sixth of a second a cell, and is read as quickly. Statistics cost more than they save.
COMPACT: dict[str, Any] = {
    "compression": "brotli", "compression_level": 11, "use_dictionary": [name for name in TEXTS if name != "unit"],
    "write_statistics": False,
}  # fmt: skip

OF_BOARDS = ("cell", "metric", "unit", "value")  # a fourth of the time and memory of all columns of evidence


def write_cell(
    folder: Path, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, cell: Cell, overwrite: bool = False
) -> Path:
    """Write the rows of a cell, all at once or not at all; a finished cell is left as it is unless `overwrite`.

    Columns of the cell's identity are filled in from it and optional ones may be absent. Unit values are kept to
    float32 precision. A folder in the place of the file is renamed to a hidden one. Raises InputError if the results
    cannot be written or a newer version wrote the cell, ValueError for rows that do not fit.
    """
    path = cell.path(folder)
    with suppress(Damaged):
        if _is_finished(path, cell) and not overwrite:
            return path
    table = _table(pd.DataFrame(rows), cell)
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex}.aside"))
        write_sealed(path, _row_groups(table), **COMPACT)
    return path


def with_metric(path: Path, rows: Sequence[Mapping[str, Any]], cell: Cell) -> bytes:
    """The file of a finished cell with the rows of one metric more; all others stay as they are.

    Rows of that metric that are there, of an earlier version or of a failure, are replaced. Raises Damaged if the file
    is no whole cell, ValueError for rows that do not fit.
    """
    known, new = read_table(path, aggregates_only=False), _table(pd.DataFrame(rows), cell)
    names = {name.partition("@")[0] for name in new["metric"].to_pylist()}
    own = [name.partition("@")[0] in names for name in known["metric"].cast(pa.string()).to_pylist()]
    others = known.filter(pa.array([not one for one in own])).cast(schema.FILE_SCHEMA)
    version = pa.array([VERSION] * len(others), pa.int32())
    others = others.set_column(others.schema.get_field_index("schema_version"), "schema_version", version)
    table = pa.concat_tables([others.replace_schema_metadata(None), new])
    return sealed(_row_groups(table), {}, **COMPACT)


def _row_groups(table: pa.Table) -> list[pa.Table]:
    values = table.filter(pc.not_equal(table["unit"], AGGREGATE))
    return [aggregates_of(table), *([values] if len(values) else [])]


def finished(folder: Path, cell: Cell) -> Path | None:
    """The cell's file if it is there, whole and its own, and of version 2 or later, else None.

    A file that is damaged, or is not of this cell, is named in a warning. Raises InputError if a newer version of
    partbench wrote it: it can neither be read nor be replaced.
    """
    path = cell.path(folder)
    try:
        return path if _is_finished(path, cell) else None
    except Damaged as error:
        warnings.warn(f"'{path}' is damaged and counts as not finished: {error}", stacklevel=2)
        return None


def done(folder: Path, cell: Cell) -> Path | None:
    """As `finished`, for a cell of which no metric failed: a failure is no result, and is tried again."""
    path = finished(folder, cell)
    return path if path and not (read_cell(path)["status"] == "failed").any() else None


def _is_finished(path: Path, cell: Cell) -> bool:
    if not os.path.lexists(path):
        return False
    table, version = parsed(path, aggregates_only=False)
    if version >= OLDEST_FINISHED and (key := table["cell"][0].as_py() if len(table) else None) != cell.key:
        raise Damaged(f"it is of cell {key!r:.60}")
    return version >= OLDEST_FINISHED


def ask_again(folder: Path, cell: Cell) -> Path | None:
    """Note that a finished cell was asked for, so that pages show it; the record made.

    None where pages show the cell as it is: it was asked for after all cells of the same explainer, variant, task and
    seed. Raises InputError if the folder cannot be written.
    """
    path = cell.path(folder)
    others = path.parent.glob(f"{safe_name(cell.explainer)}-*{CELL}")
    if all(other == path for other in others):
        return None
    columns = ["cell", "explainer", "variant", "task", "seed", ASKED_AT]
    found = next(parts_beside(folder, AGGREGATES, [path.relative_to(folder).as_posix()], columns), None)
    if found is None:
        return None
    rows = found.to_pandas().astype(dict.fromkeys(columns[:4], object))
    own = rows[rows["cell"] == cell.key]
    if own.empty:
        return None
    same = rows[(rows[columns[1:5]] == own.iloc[0][columns[1:5]]).all(axis=1)]
    last = same.sort_values([ASKED_AT, "cell"]).iloc[-1]
    return None if last["cell"] == cell.key else record(path)


def read_cell(path: Path) -> pd.DataFrame:
    """The aggregate rows of one cell, of whatever version up to the present one.

    Raises `sealed.Damaged`, a ValueError, if the file is not one or has changed, InputError if a newer version wrote
    it.
    """
    return read_table(path, aggregates_only=True).to_pandas()


def find_cell(folder: Path, text: str) -> dict[str, Any]:
    """The first aggregate row of a cell named by its key, the beginning of its key, or its file.

    Raises InputError if no cell, or more than one, is meant.
    """
    paths = cell_paths(Path(folder))
    matching = [path for path in paths if path.stem.rpartition("-")[2].startswith(text)]
    if text.endswith(".parquet"):
        if not os.path.lexists(text):
            raise InputError(f"no file '{text}'; name the file of a cell, or its key, the last part of such a name")
        matching = [Path(text)]
    if not matching and not Path(folder).is_dir():
        raise InputError(f"no cell '{text}' and no folder {folder}; run `bench run` first, or name one with --results")
    if not matching:
        raise InputError(f"no cell '{text}' in {folder} ({len(paths)} cells); keys are the last part of file names")
    if len(matching) > 1:
        some = ", ".join(path.stem for path in matching[:4])
        raise InputError(f"'{text}' could be {len(matching)} cells: {some}; write more of the key")
    try:
        found = read_cell(matching[0])
    except Damaged as error:
        raise InputError(f"cannot read '{matching[0]}': {error}; {MENDED}") from error
    if found.empty:
        raise InputError(f"'{matching[0]}' holds no aggregate; run its cell again")
    row: dict[str, Any] = found.iloc[0].to_dict()
    return row


def load_results(
    folder: Path | str = "results",
    aggregates_only: bool = True,
    datasets: Iterable[str] | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """All cells under a folder, a row per cell and metric, in order of file names; `schema.COLUMNS` says what is in it.

    Three more columns are `asked_at`, the time when the cell was last asked for, `file`, its place in the folder, and
    `submission_status`: "reference", "verified", "self-reported" or "withdrawn", see `results.submission_history`. With
    `aggregates_only=False` also the values that aggregates are made of (per image, concept or part: `unit` and
    `unit_kind`), without these three columns. With `datasets` only the folders of these are read; with `columns`, which
    hold "cell", only these of aggregates, and `submission_status`. Text columns are categoricals with sorted
    categories. Files of earlier versions are read as if written now, but for `schema_version`.
    A file that is damaged, foreign or of a newer version is named in a warning and left out; without files the frame is
    empty. Aggregates are read from the index of the folder, which is brought up to date. Raises InputError if there is
    no such folder.
    """
    folder = _folder(folder)
    if aggregates_only:
        return _with_status(folder, _frame(indexed(folder, AGGREGATES, datasets, columns)))
    places = [folder] if datasets is None else [folder / slug(name) for name in datasets]
    found = (_read_or_warn(path) for place in places for path in cell_paths(place))
    tables = [table for table in found if table is not None]
    return _frame(pa.concat_tables(tables or [SCHEMA.empty_table()]).unify_dictionaries())


def load_evidence(
    folder: Path | str = "results",
    datasets: Iterable[str] | None = None,
    columns: Sequence[str] = EVIDENCE_COLUMNS,
) -> pd.DataFrame:
    """The values of images of all cells under a folder, a row per cell, metric and image; from the index, as above.

    Columns: all of `index.EVIDENCE_COLUMNS`, or those asked for; `unit` is the image, `value` a float32. Raises
    InputError if there is no such folder.
    """
    return _in_one_frame(parts(_folder(folder), EVIDENCE, datasets, columns), columns)


def load_with_evidence(
    folder: Path | str = "results", datasets: Iterable[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`load_results`, and `load_evidence` in the columns `OF_BOARDS`, which boards are made of.

    A file that is left out is named in one warning, not in two.
    """
    wanted = None if datasets is None else list(datasets)
    rows = load_results(folder, datasets=wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rows, load_evidence(folder, wanted, OF_BOARDS)


def evidence_beside(folder: Path, files: Iterable[str]) -> pd.DataFrame:
    """`load_evidence` in the columns `OF_BOARDS`, of all cells in the folders of some `file` of `load_results`.

    Which files are left out is not said again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _in_one_frame(parts_beside(folder, EVIDENCE, files, OF_BOARDS), OF_BOARDS)


def _folder(folder: Path | str) -> Path:
    if not Path(folder).is_dir():
        raise InputError(f"no folder of results '{folder}'; run `bench run` first, or name another folder")
    return Path(folder)


def _frame(table: pa.Table) -> pd.DataFrame:
    texts = [name for name in TEXTS if name in table.column_names]
    frame = table.drop_columns(texts).to_pandas()
    columns = {name: _one_categorical([_Texts.of(table[name])]) if name in texts else frame.pop(name)
               for name in table.column_names}  # fmt: skip
    return pd.DataFrame(columns, copy=False)


def _in_one_frame(tables: Iterable[pa.Table], columns: Sequence[str]) -> pd.DataFrame:
    """The rows of tables of evidence, each of which is released before the next one is read."""
    sides: dict[str, list[Any]] = {name: [] for name in columns}
    for table in chain([EVIDENCE.schema.empty_table().select(columns)], tables):
        for name in columns:
            sides[name].append(_Texts.of(table[name]) if name in TEXTS else table[name].to_numpy())
    found: dict[str, pd.Categorical | np.ndarray] = {}
    for name in columns:
        some = sides.pop(name)  # released column by column
        if name in TEXTS:
            found[name] = _one_categorical(some)
        else:
            found[name] = _joined(sum(map(len, some)), _taken(some), some[0].dtype)
    return pd.DataFrame(found, copy=False)


def _joined(length: int, arrays: Iterable[np.ndarray], kind: np.dtype[Any]) -> np.ndarray:
    """Arrays of a length together, one after the other; each can be freed before the next one is made."""
    whole, start = np.empty(length, kind), 0
    for array in arrays:
        whole[start : start + len(array)] = array
        start += len(array)
    return whole


def _taken(some: list[Any]) -> Iterator[Any]:
    """What is in a list, which holds each no longer than until it is taken."""
    some.reverse()
    while some:
        yield some.pop()


class _Texts(NamedTuple):
    """A column of texts: the different ones, and the place of each row's text among them, -1 for a missing one."""

    names: list[str]
    places: Int[np.ndarray, "n"]

    @staticmethod
    def of(column: pa.ChunkedArray) -> _Texts:
        """Of a column whose parts share a dictionary."""
        whole = column.combine_chunks()
        small = np.min_scalar_type(-len(whole.dictionary) - 1)
        return _Texts(whole.dictionary.to_pylist(), whole.indices.fill_null(-1).to_numpy().astype(small))


def _one_categorical(sides: list[_Texts]) -> pd.Categorical:
    """Columns, one below the other, as a categorical with sorted categories; the list is emptied."""
    names = sorted({name for side in sides for name in side.names})
    place = {name: code for code, name in enumerate(names)}
    small = np.min_scalar_type(-len(names) - 1)
    length = sum(len(side.places) for side in sides)
    codes = (np.array([*map(place.__getitem__, side.names), -1], small)[side.places] for side in _taken(sides))
    return pd.Categorical.from_codes(_joined(length, codes, small), names, validate=False)


def _with_status(folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with a column that says how far their cells are trusted."""
    known = statuses(folder)
    status = {cell: known.get(cell, REFERENCE) for cell in frame["cell"].cat.categories}
    return frame.assign(**{COLUMN: frame["cell"].map(status).astype("category")})


def _read_or_warn(path: Path) -> pa.Table | None:
    try:
        return read_table(path, aggregates_only=False)
    except (InputError, Damaged) as error:
        mended = f"; {MENDED}" if isinstance(error, Damaged) else ""
        warnings.warn(f"ignored '{path}': {error}{mended}", stacklevel=4)
        return None


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
