"""The index of a folder of results: two Parquet datasets in `.index/`, made from the cells and from nothing else.

`aggregates/` holds the aggregate rows of all cells, `evidence/` a row per cell, metric and image; one file each for
every folder of cells. A file knows the size and time of each cell that it was made from. Cells that changed are read
again; a file of the index that is damaged, or of another version, is made again. Files are renamed into place, so that
processes may update the index at once: whichever file stays, it is checked against the cells when it is read. Where it
cannot be written, the rows are the same and nothing is stored.
"""

from __future__ import annotations

import datetime
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partbench.errors import InputError
from partbench.results.asked import last_requests
from partbench.results.cell_file import MENDED, read_evidence, read_table
from partbench.results.folders import CELL, Folder, folders_of
from partbench.results.schema import SCHEMA, TEXT, slug
from partbench.results.sealed import Damaged, read_bytes, write_sealed
from partbench.whole_files import expect_writable, writing

NAME = ".index"
RECIPE = 1  # raised when the rows made from a cell change
_STATE = "partbench.cells"
_SETTLED_NS = 50_000_000  # a file changed less than this before it was read may change again within one tick of time
_IN_ROOT = "~"  # the name for cells that lie in no folder of their own

ASKED_AT = "asked_at"
EVIDENCE_COLUMNS = ("cell", "explainer", "variant", "task", "seed", "metric", "unit", "value")


@dataclass(frozen=True)
class Kind:
    """One of the two datasets: its name, its columns, and its rows of a cell's file."""

    name: str
    schema: pa.Schema
    rows: Callable[[Path], pa.Table]


_FILE = pa.field("file", TEXT)
_EVIDENCE = pa.schema([*(SCHEMA.field(name) for name in EVIDENCE_COLUMNS[:-1]), ("value", pa.float32()), _FILE])
_AGGREGATES = pa.schema([*SCHEMA, (ASKED_AT, SCHEMA.field("created_at").type), _FILE])
AGGREGATES = Kind("aggregates", _AGGREGATES, lambda path: read_table(path, aggregates_only=True))
EVIDENCE = Kind("evidence", _EVIDENCE, lambda path: read_evidence(path, EVIDENCE_COLUMNS))


def indexed(
    results: Path, kind: Kind, datasets: Iterable[str] | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """The rows of a dataset of the index, brought up to date, in order of files; `file` is relative to `results`.

    With `datasets` only of these; with `columns` only these. A cell that cannot be read is named in a warning and left
    out.
    """
    tables = list(parts(results, kind, datasets, columns))
    table = pa.concat_tables(tables) if tables else kind.schema.empty_table().select(columns or kind.schema.names)
    return table.unify_dictionaries()


def parts(
    results: Path, kind: Kind, datasets: Iterable[str] | None = None, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The rows of `indexed`, folder by folder."""
    places = [()] if datasets is None else [(slug(name),) for name in datasets]
    found = [folder for place in places for folder in folders_of(results, place)]
    if datasets is None:
        _remove_others(results / NAME / kind.name, {_path(results, kind, folder.place) for folder in found})
    yield from (_part(results, kind, folder, columns) for folder in found)


def parts_beside(
    results: Path, kind: Kind, files: Iterable[str], columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """`parts`, of those folders that hold some files of cells."""
    places = sorted({PurePosixPath(file).parent.parts for file in files})
    found = (folder for place in places for folder in folders_of(results, place) if folder.place == place)
    yield from (_part(results, kind, folder, columns) for folder in found)


def rebuild(results: Path) -> dict[str, int]:
    """Make both datasets anew; the number of rows of each. Raises InputError if nothing can be written there."""
    with writing(results / NAME):
        expect_writable(results / NAME)
    for kind in (AGGREGATES, EVIDENCE):
        _remove_others(results / NAME / kind.name, set())
    return {kind.name: len(indexed(results, kind)) for kind in (AGGREGATES, EVIDENCE)}


def _path(results: Path, kind: Kind, place: tuple[str, ...]) -> Path:
    return results.joinpath(NAME, kind.name, *place[:-1], f"{place[-1] if place else _IN_ROOT}{CELL}")


def _part(results: Path, kind: Kind, folder: Folder, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of the cells in one folder."""
    path = _path(results, kind, folder.place)
    table, state = _stored(path, kind, columns)
    known = state["cells"]
    stale = [name for name, now in folder.cells.items() if list(now) != known.get(name, [])[:2]]
    if stale or len(known) != len(folder.cells) or state["asked"] != list(folder.asked):
        whole = table if columns is None else _stored(path, kind)[0]
        table, known = _updated(results, kind, folder, (whole, known), stale)
        metadata = {_STATE: json.dumps({"recipe": RECIPE, "cells": known, "asked": folder.asked})}
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(path, [table], metadata, compression="lz4", write_statistics=False)  # quick to read
    for name, (*_, reason) in known.items():
        if reason:
            warnings.warn(f"ignored '{results.joinpath(*folder.place, name)}': {reason}", stacklevel=6)
    return table if columns is None else table.select(columns)


def _stored(path: Path, kind: Kind, columns: Sequence[str] | None = None) -> tuple[pa.Table, dict[str, Any]]:
    """A file of the index and what it was made from; nothing where there is none, or none that can be used."""
    try:
        data, sealed = read_bytes(path)
        texts = [field.name for field in kind.schema if field.type == TEXT]
        with pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts) as file:
            state = json.loads(file.metadata.metadata[_STATE.encode()])
            if sealed and state["recipe"] == RECIPE and file.schema_arrow.equals(kind.schema):
                return file.read(columns), state
    except (Damaged, OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        pass
    return kind.schema.empty_table(), {"cells": {}, "asked": []}


Known = Mapping[str, list[Any]]  # by file: size, mtime_ns, and why it was left out ("" if it was not)


def _updated(
    results: Path, kind: Kind, folder: Folder, before: tuple[pa.Table, Known], stale: list[str]
) -> tuple[pa.Table, Known]:
    """The rows of a folder and what they were made from; rows of cells that did not change are those from before."""
    table, known = before
    now, prefix = time.time_ns(), "".join(f"{part}/" for part in folder.place)
    names = list(folder.cells)
    kept = set(names) - set(stale)
    entries = {name: known[name] for name in kept}
    made: dict[str, pa.Table | None] = {}
    for name in stale:
        made[f"{prefix}{name}"], reason = _read(kind, results / f"{prefix}{name}")
        size, mtime = folder.cells[name]
        entries[name] = [size, mtime if mtime < now - _SETTLED_NS else -1, reason]
    tables = [_of_files(table, [prefix + name for name in kept], kind), _in_columns(made, kind)]
    merged = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    if kept:  # else rows are in the order of their files
        merged = merged.take(_order(merged["file"], {prefix + name: place for place, name in enumerate(names)}))
    if kind is AGGREGATES:
        times = {prefix + name: at for name, at in last_requests(folder.asked).items()}
        merged = merged.set_column(merged.schema.names.index(ASKED_AT), ASKED_AT, _asked_at(merged, times))
    return merged, {name: entries[name] for name in names}


def _of_files(table: pa.Table, files: list[str], kind: Kind) -> pa.Table:
    """The rows of some files; the dictionaries of texts hold what these rows hold."""
    found = table.filter(pc.is_in(table["file"].cast(pa.string()), pa.array(files, pa.string())))
    if len(found) == len(table):
        return table
    plain = [field.with_type(pa.string()) if field.type == TEXT else field for field in kind.schema]
    return found.cast(pa.schema(plain)).cast(kind.schema)


def _read(kind: Kind, path: Path) -> tuple[pa.Table | None, str]:
    try:
        return kind.rows(path), ""
    except InputError as error:
        return None, str(error)
    except Damaged as error:
        return None, f"{error}; {MENDED}"


def _in_columns(made: Mapping[str, pa.Table | None], kind: Kind) -> pa.Table:
    """The rows of cells, by file, in the columns of a dataset."""
    tables = {file: rows for file, rows in made.items() if rows is not None}
    if not tables:
        return kind.schema.empty_table()
    whole = pa.concat_tables(tables.values())
    columns = {name: whole[name] for name in whole.schema.names}
    places = np.repeat(np.arange(len(tables), dtype=np.int32), [len(rows) for rows in tables.values()])
    columns["file"] = pa.DictionaryArray.from_arrays(places, pa.array(list(tables), pa.string()))
    if kind is AGGREGATES:
        columns[ASKED_AT] = whole["created_at"]
    return pa.table({name: columns[name] for name in kind.schema.names}).cast(kind.schema)


def _order(files: pa.ChunkedArray, places: Mapping[str, int]) -> np.ndarray:
    """Indices that put rows in the order of their files, those of one file as they are."""
    column = files.combine_chunks()
    of_code = np.array([places[name] for name in column.dictionary.to_pylist()], int)
    return np.argsort(of_code[column.indices.to_numpy()], kind="stable")


def _asked_at(table: pa.Table, times: Mapping[str, datetime.datetime]) -> pa.ChunkedArray:
    """When the cells of rows were last asked for: when they were made, or later by a record."""
    at = table["created_at"]
    for file, time_of in times.items():
        of_file = pc.equal(table["file"].cast(pa.string()), file)
        at = pc.if_else(pc.and_(of_file, pc.less(at, pa.scalar(time_of, at.type))), pa.scalar(time_of, at.type), at)
    return at


def _remove_others(folder: Path, wanted: set[Path]) -> None:
    for path in folder.rglob(f"*{CELL}"):
        if path not in wanted:
            with suppress(OSError):
                path.unlink()
