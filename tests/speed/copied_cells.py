"""Thousands of cells that are like real ones: copies of the committed ones, of other explainers, datasets and seeds."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partbench.results.folders import cell_paths
from partbench.results.schema import TEXTS, cell_path
from partbench.results.sealed import sealed

DATASETS, EXPLAINERS, SEEDS = 3, 3, 2  # at most 18 copies of each cell


class Copy(NamedTuple):
    """Which copy of a cell: (0, 0, 0) is the cell itself."""

    dataset: int
    explainer: int
    seed: int


def write_copies(results: Path, folder: Path, count: int) -> None:
    """Write so many cells into a folder: those of `results` and copies of them, none synced to the disk."""
    paths = cell_paths(results)
    for place, path in enumerate(paths[:count]):
        texts = [name for name in pq.read_schema(path).names if name in TEXTS]  # older cells have fewer
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        copies = itertools.starmap(Copy, itertools.product(*map(range, (DATASETS, EXPLAINERS, SEEDS))))
        for copy in itertools.islice(copies, count // len(paths) + (place < count % len(paths))):
            copied = [_copied(group, copy) for group in groups]
            to = cell_path(folder, copied[0].slice(0, 1).to_pylist()[0])
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(sealed(copied, {}, compression="lz4", use_dictionary=texts, write_statistics=False))


def _copied(table: pa.Table, copy: Copy) -> pa.Table:
    """The rows of a cell as of another; its values are a little lower, so that copies differ."""
    if not any(copy):
        return table
    first = table.slice(0, 1).to_pylist()[0]
    dataset = f"{first['dataset']}_{copy.dataset}" if copy.dataset else first["dataset"]
    texts = {
        "dataset": dataset,
        "task": dataset + first["task"].removeprefix(first["dataset"]),
        "explainer": f"{first['explainer']}_{copy.explainer}" if copy.explainer else first["explainer"],
        "cell": hashlib.sha256(f"{first['cell']} {copy}".encode()).hexdigest()[:16],
    }
    columns = {name: pa.repeat(pa.scalar(text), len(table)) for name, text in texts.items()}
    columns["seed"] = pc.add(table["seed"], pa.scalar(100 * copy.seed, pa.uint64()))
    factor = 1 - 0.01 * sum(copy)
    columns |= {name: pc.multiply(table[name], factor) for name in ("value", "low", "high")}
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, column.cast(table.schema.field(name).type))
    return table
