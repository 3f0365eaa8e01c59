"""Files of planted runs: scores of explanations that are no explainer's, in a folder and columns of their own.

They lie in `planted/`, beside the folder of results and never in it: no reader of results walks there. Their columns
are not those of a cell, so that a file that is moved among the results is refused. One file for each task, kind and
subject: `planted/<dataset>/<task>/<kind>-<subject>.parquet`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from partbench.results.schema import safe_name, slug
from partbench.results.sealed import Damaged, read_bytes, write_sealed
from partbench.whole_files import writing

FOLDER = "planted"
SUFFIX = ".parquet"
ORACLE, CHEAT, RANDOM_WEIGHTS = "oracle", "cheat", "random_weights"
INVERTED = "inverted"  # the last level of an oracle; the others are shares of noise
TRAINED = "none"  # the first level of a network with random weights; the others name its lowest random layer
IDENTITY = "partbench.planted"
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("planted", "subject", "level")),  # planted: the kind
        ("place", pa.int32()),  # of the level among those of its subject
        *((name, pa.string()) for name in ("task", "dataset", "performer")),
        ("seed", pa.uint64()),
        *((name, pa.string()) for name in ("metric", "metric_version")),
        *((name, pa.float64()) for name in ("value", "low", "high")),
        ("higher_is_better", pa.bool_()),
        *((name, pa.string()) for name in ("status", "reason")),
        ("images", pa.int32()),
    ]
)


def planted_folder(results: Path) -> Path:
    """The folder of the planted runs that belong to a folder of results."""
    return Path(results).parent / FOLDER


def planted_path(folder: Path, task: str, kind: str, subject: str) -> Path:
    """The file of a planted run."""
    dataset, _, what = task.partition("/")
    return Path(folder) / slug(dataset) / slug(what) / f"{safe_name(kind)}-{safe_name(subject)}{SUFFIX}"


def write_planted(path: Path, rows: Iterable[Mapping[str, Any]], identity: str) -> None:
    """Write the rows of a planted run, all at once or not at all. Raises InputError if the folder cannot be written."""
    frame = pd.DataFrame(list(rows)).reindex(columns=SCHEMA.names)
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(path, [table], {IDENTITY: identity}, compression="zstd", write_statistics=False)


def is_made(path: Path, identity: str) -> bool:
    """Whether a planted run is there, whole, and made of what `identity` says."""
    try:
        return _read(path)[1] == identity
    except Damaged:
        return False


def load_planted(folder: Path) -> pd.DataFrame:
    """The rows of all planted runs of a folder, in order of file names; `SCHEMA` says what is in it.

    A file that is damaged or no planted run is named in a warning and left out. Without a folder the frame is empty.
    """
    tables = [SCHEMA.empty_table()]
    for path in sorted(Path(folder).glob(f"*/*/*{SUFFIX}")):
        try:
            tables.append(_read(path)[0])
        except Damaged as error:
            warnings.warn(f"ignored '{path}': {error}", stacklevel=2)
    return _frame(pa.concat_tables(tables))


def no_planted_runs() -> pd.DataFrame:
    """The frame of `load_planted` without rows."""
    return _frame(SCHEMA.empty_table())


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    texts = [field.name for field in SCHEMA if field.type == pa.string()]
    return frame.astype(dict.fromkeys(texts, object))  # Arrow's texts are slow to read one by one


def _read(path: Path) -> tuple[pa.Table, str]:
    """The rows of a file and its identity. Raises Damaged."""
    data, whole = read_bytes(path)
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            identity = (file.metadata.metadata or {}).get(IDENTITY.encode(), b"").decode()
            if not (whole and identity and file.schema_arrow.equals(SCHEMA)):
                raise Damaged("it is no planted run of this version")
            return file.read(use_threads=False), identity
    except (OSError, pa.ArrowException) as error:  # pyarrow gives an OSError for a broken header
        raise Damaged(str(error).partition("\n")[0]) from error
