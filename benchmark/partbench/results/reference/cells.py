"""The reference cells: default variants and floors of the committed results, without readings of metrics ('@').

Four Parquet files: aggregate rows, with the fingerprint of the data and the performer; evidence, a row per cell and
metric; the lists of images that the evidence is of; and what each metric is good for (`bench metric-card`). Beside them
lies the list of all published tasks. scripts/reference_cells.py makes them.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partbench.results.schema import COLUMNS, SCHEMA, TEXTS, Cell

FOLDER = Path(__file__).parent
FILES = ("rows.parquet", "evidence.parquet", "images.parquet", "verdicts.parquet")
TASKS_FILE = "tasks.txt"  # all published tasks, those too whose cells are not among these
FINGERPRINT = "data_fingerprint"
# Of a machine or a command, not of a result.
_DROPPED = ("run_id", "host", "fit_seconds", "explain_seconds", "score_seconds", "peak_memory_mb", "threads",
            "processor")  # fmt: skip
KEPT = tuple(name for name in COLUMNS if name not in _DROPPED)
_PACKED = pa.schema([("cell", pa.string()), ("metric", pa.string()), ("list", pa.int32()),
                     ("values", pa.list_(pa.float32()))])  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """Published cells: `rows` in the columns of `schema.SCHEMA` but for `_DROPPED`, with `data_fingerprint`.

    verdicts: metric, dataset, verdict, such as "ranks", and reason.
    """

    rows: pd.DataFrame
    verdicts: pd.DataFrame
    folder: Path = FOLDER

    @staticmethod
    def load(folder: Path = FOLDER) -> Reference:
        """From the package. Raises OSError or ValueError for files that are absent or cannot be read."""
        rows, verdicts = (pq.read_table(folder / name).to_pandas() for name in (FILES[0], FILES[3]))
        absent = [name for name in KEPT if name not in rows]  # columns that are younger than the files
        return Reference(rows.assign(**dict.fromkeys(absent)), verdicts, folder)

    @property
    def published_tasks(self) -> list[str]:
        """All tasks that have published results, whether or not their cells are among these."""
        return (self.folder / TASKS_FILE).read_text().split()

    @property
    def uses(self) -> dict[tuple[str, str], str]:
        """The verdicts by metric and dataset."""
        return dict(self.verdicts.set_index(["metric", "dataset"])["verdict"])

    def evidence(self, cells: Collection[str]) -> pd.DataFrame:
        """The values of images of some cells: cell, metric, unit, which is the image, and value (float32)."""
        packed = pq.read_table(self.folder / FILES[1])
        packed = packed.filter(pc.is_in(packed["cell"], pa.array(sorted(cells), pa.string())))
        lists = pq.read_table(self.folder / FILES[2])["images"].combine_chunks()
        counts = pc.list_value_length(packed["values"]).to_numpy()
        names = lists.flatten().dictionary_encode()
        codes, starts = names.indices.to_numpy(), lists.offsets.to_numpy()
        used = packed["list"].to_numpy()
        places = [codes[starts[one] : starts[one + 1]] for one in used]
        categories = names.dictionary.to_pylist()
        of_values = {name: pd.Categorical(packed[name].to_numpy()).repeat(counts) for name in ("cell", "metric")}
        unit = pd.Categorical.from_codes(np.concatenate(places or [np.empty(0, int)]), categories)
        values = packed["values"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return pd.DataFrame({**of_values, "unit": unit, "value": values})


def of_data(row: Any, fingerprint: str) -> bool:
    """Whether a cell is of data and a performer with this fingerprint: its key is a hash that includes it.

    `row` has the columns of an aggregate row as attributes.
    """
    try:
        options = json.loads(row.options)
    except (TypeError, ValueError):
        return False
    digest = row.plugin_digest if isinstance(row.plugin_digest, str) else ""
    cell = Cell(
        row.explainer, row.distribution, row.plugin_version, options, row.task, row.task_version, row.dataset,
        row.category, row.performer, fingerprint, int(row.seed), digest, row.device,
    )  # fmt: skip
    return bool(cell.key == row.cell)


def write_reference(folder: Path, rows: pd.DataFrame, images: pd.DataFrame, verdicts: pd.DataFrame) -> int:
    """Write the four files; their size in bytes.

    `rows` are aggregate rows with `data_fingerprint`, `images` their evidence, as `load_evidence` gives it. Equal
    arguments give equal bytes.
    """
    order = rows.sort_values(["task", "explainer", "seed", "metric"], kind="stable")[[*KEPT, FINGERPRINT]]
    evidence, lists = _packed(order, images)
    schema = pa.schema([*((name, pa.string() if name in TEXTS else SCHEMA.field(name).type) for name in KEPT),
                        (FINGERPRINT, pa.string())])  # fmt: skip
    texts = [name for name in (*TEXTS, FINGERPRINT) if name in order]
    order = order.astype(dict.fromkeys(texts, object))
    tables = {
        FILES[0]: pa.Table.from_pandas(order, schema, preserve_index=False), FILES[1]: evidence, FILES[2]: lists,
        FILES[3]: pa.Table.from_pandas(verdicts.astype(object), preserve_index=False),
    }  # fmt: skip
    for name, table in tables.items():
        # Neighbouring explainers agree in most bytes of a value, which splitting the bytes brings together.
        split: dict[str, Any] = {"use_dictionary": False, "use_byte_stream_split": ["values.list.element"]}
        packing = split if name == FILES[1] else {}
        pq.write_table(table.replace_schema_metadata(None), folder / name, compression="zstd", compression_level=19,
                       write_statistics=False, store_schema=False, **packing)  # fmt: skip
    return sum((folder / name).stat().st_size for name in FILES)


def _packed(rows: pd.DataFrame, images: pd.DataFrame) -> tuple[pa.Table, pa.Table]:
    """A row per cell and metric, those of one metric and task together, and the lists of images that they number."""
    wanted = rows.sort_values(["metric", "task", "explainer", "seed"], kind="stable")
    images = images[images["cell"].isin(set(rows["cell"])) & images["metric"].isin(set(rows["metric"]))]
    images = images.astype({"cell": object, "metric": object, "unit": object})
    of_cell = dict(list(images.groupby(["cell", "metric"], sort=False)))
    numbers: dict[tuple[str, ...], int] = {}
    found: dict[str, list[Any]] = {name: [] for name in _PACKED.names}
    for key in zip(wanted["cell"], wanted["metric"], strict=True):
        if key in of_cell:
            units = tuple(of_cell[key]["unit"])
            place = numbers.setdefault(units, len(numbers))
            for name, value in zip(_PACKED.names, (*key, place, of_cell[key]["value"].to_numpy()), strict=True):
                found[name].append(value)
    lists = pa.table({"images": pa.array([list(units) for units in numbers], pa.list_(pa.string()))})
    return pa.table(found, _PACKED), lists
