"""Cells with planted rows, as a run hands them to the store."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partbench.results.schema import Cell
from partbench.results.sealed import sealed

NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
OF_5 = ["processor", "performer_digest"]  # columns that version 5 added
RUN = {"run_id": "r1", "created_at": NOON, "partbench_version": "0.1.0", "variant": "", "metric_version": "1"}


def cell(**changes: Any) -> Cell:
    usual = Cell(
        explainer="srae",
        distribution="partbench",
        plugin_version="0.1.0",
        options={"beta": 3.0, "profile": "paper", "layers": (64, 5)},
        task="fauna/multi:cat",
        task_version="1",
        dataset="fauna",
        category="cat",
        performer="small_vgg",
        data_fingerprint="f00d",
        seed=0,
    )
    return dataclasses.replace(usual, **changes)


def rows(values: list[float], metric: str = "locality") -> list[dict[str, Any]]:
    usual = {**RUN, "metric": metric, "status": "ok", "higher_is_better": False, "images": len(values)}
    aggregate = {**usual, "unit": "all", "value": float(np.mean(values)), "low": min(values), "high": max(values)}
    return [aggregate, *({**usual, "unit": f"image-{i}", "value": value} for i, value in enumerate(values))]


def unsealed(path: Path) -> pa.Table:
    """The rows of a cell, to be written again without the digest of its bytes."""
    return pq.read_table(path).replace_schema_metadata(None)


def changed(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), column, values)


def as_version_2(path: Path) -> Path:
    """A cell as version 2 wrote it: no digest, a seed of 32 bits, two groups of rows."""
    table = unsealed(path).drop_columns(["network", "deterministic", *OF_5])
    table = changed(table, "seed", table["seed"].cast(pa.int32()))
    table = changed(table, "schema_version", pa.array([2] * len(table), pa.int32()))
    every = np.array(table["unit"].to_pylist()) == "all"
    with pq.ParquetWriter(path, table.schema, store_schema=False, write_page_checksum=True) as writer:
        for rows in (table.filter(pa.array(every)), table.filter(pa.array(~every))):
            if len(rows):
                writer.write_table(rows)
    return path


def as_version_3(path: Path) -> Path:
    """A cell as version 3 wrote it: four columns fewer."""
    return _without(path, ["network", "deterministic", *OF_5], 3)


def as_version_4(path: Path) -> Path:
    """A cell as version 4 wrote it: two columns fewer."""
    return _without(path, OF_5, 4)


def _without(path: Path, names: list[str], version: int) -> Path:
    table = unsealed(path).drop_columns(names)
    table = changed(table, "schema_version", pa.array([version] * len(table), pa.int32()))
    every = pa.array(np.array(table["unit"].to_pylist()) == "all")
    groups = [table.filter(every), table.filter(pc.invert(every))]
    path.write_bytes(sealed(groups, {}))
    return path
