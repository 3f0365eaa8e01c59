"""The columns of results, and the identity of a cell: an explainer with its options, a task and a seed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partbench.errors import InputError

AGGREGATE = "all"
VERSION = 5
SEALED = 3  # the first version whose files hold a digest
OLDEST_FINISHED = 2  # a cell of an earlier version is done again

TEXT = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("cell", TEXT),
        ("run_id", TEXT),
        ("created_at", pa.timestamp("us", tz="UTC")),
        *((name, TEXT) for name in ("partbench_version", "explainer", "variant", "distribution", "options")),
        *((name, TEXT) for name in ("task", "task_version", "dataset", "category", "performer")),
        ("seed", pa.uint64()),
        *((name, TEXT) for name in ("metric", "metric_version", "unit")),
        *((name, pa.float64()) for name in ("value", "low", "high")),
        ("higher_is_better", pa.bool_()),
        *((name, TEXT) for name in ("status", "reason")),
        ("images", pa.int32()),
        *((name, pa.float64()) for name in ("fit_seconds", "explain_seconds", "score_seconds", "peak_memory_mb")),
        ("device", TEXT),
        # since version 2
        ("schema_version", pa.int32()),
        ("unit_kind", TEXT),  # all, image, concept, part, pair
        *((name, TEXT) for name in ("control", "compared_with")),
        *((name, pa.float64()) for name in ("low_bound", "high_bound")),
        *((name, TEXT) for name in ("plugin_version", "plugin_digest", "source_commit", "host")),
        ("threads", pa.int32()),
        ("torch_version", TEXT),
        # since version 4
        ("network", TEXT),
        ("deterministic", pa.bool_()),
        # since version 5
        *((name, TEXT) for name in ("processor", "performer_digest")),
    ]
)
COLUMNS = tuple(SCHEMA.names)
REQUIRED = ("run_id", "created_at", "partbench_version", "variant", "metric", "metric_version", "unit", "status")
TEXTS = [name for name in COLUMNS if SCHEMA.field(name).type == TEXT]
# Earlier versions lacked the last columns, and the seed of 2 had 32 bits.
LATER = COLUMNS[COLUMNS.index("network") :]  # since version 4
SCHEMA_4 = pa.schema([SCHEMA.field(name) for name in COLUMNS[: COLUMNS.index("processor")]])
SCHEMA_3 = pa.schema([SCHEMA.field(name) for name in COLUMNS if name not in LATER])
SCHEMA_2 = SCHEMA_3.set(SCHEMA_3.get_field_index("seed"), pa.field("seed", pa.int32()))
# In the files, text columns are plain strings; they are read back as the dictionaries of SCHEMA.
FILE_SCHEMA = pa.schema([(name, pa.string() if name in TEXTS else SCHEMA.field(name).type) for name in COLUMNS])
MOST_SEED = 2**64 - 1
_LONGEST = 120  # bytes of a name in a path
_PLAIN = re.compile(r"[a-z0-9_+=@-]+(:[a-z0-9_+=@-]+)*")


def check_seed(seed: Any) -> int:
    """A seed as an integer. Raises InputError unless it is a whole number of 64 bits, not negative."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= MOST_SEED:
        raise InputError(f"the seed is {str(seed)!r:.60}, expected a whole number from 0 to {MOST_SEED}")
    return int(seed)


def canonical(value: Any) -> str:
    """Sorted, compact JSON: equal values, equal text, in whatever order; tuples are lists, unknown types their str."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def variant(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The options that differ from the defaults, sorted by name: `gradient=paper,mask=false`; "" if none does."""
    differing = [n for n in sorted(options) if n not in defaults or canonical(options[n]) != canonical(defaults[n])]
    values = (options[n] if isinstance(options[n], str) else canonical(options[n]) for n in differing)
    return ",".join(f"{name}={value}" for name, value in zip(differing, values, strict=True))


def label(explainer: str, variant: str = "") -> str:
    """The display name of an explainer: `srae`, or `srae (profile=released)` if options differ from the defaults."""
    return f"{explainer} ({variant})" if variant else explainer


def safe_name(name: str) -> str:
    """A name as one part of a path: no separators, not hidden, never empty, not too long for a file system.

    Different names may become the same; long ones that are cut end with `~` and 8 digits of their hash.
    """
    safe = re.sub(r"[^\w@+.=-]", "_", name).lstrip(".") or "_"
    if len(safe.encode()) <= _LONGEST:
        return safe
    return f"{safe.encode()[:_LONGEST].decode(errors='ignore')}~{_hash(name)}"


def slug(name: str) -> str:
    """A dataset, or a task without its dataset, as one part of a path: `multi:cat@lite0` is `multi.cat@lite0`.

    Different names have different slugs, even where a file system ignores case. Names of lower-case letters, digits,
    `_ + = @ -` and single `:` only become themselves with `.` for `:`; any other name is followed by `~` and 8 digits
    of its hash.
    """
    readable = safe_name(re.sub("[:/]", ".", name))
    if _PLAIN.fullmatch(name):
        return readable
    return f"{readable}~{_hash(name)}"


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]


@dataclass(frozen=True)
class Cell:
    """The identity of a cell. `options` are all options as resolved, defaults included; the seed is the task's.

    `plugin_digest` is `provenance.digest` of the explainer's module; where it is "" the version of the plugin stands
    for its code. `device` is the kind of device, "cpu" or "cuda".
    """

    explainer: str
    distribution: str
    plugin_version: str
    options: Mapping[str, Any]
    task: str
    task_version: str
    dataset: str
    category: str
    performer: str
    data_fingerprint: str
    seed: int
    plugin_digest: str = ""
    device: str = "cpu"

    @property
    def key(self) -> str:
        """16 hex digits of what determines the cell's result; no order, worker, machine or time enters."""
        who = [self.explainer, self.distribution, self.plugin_digest or self.plugin_version, dict(self.options)]
        what = [self.task, self.task_version, self.performer, self.data_fingerprint, self.seed, self.device]
        return hashlib.sha256(canonical(who + what).encode()).hexdigest()[:16]

    @property
    def columns(self) -> dict[str, str | int]:
        """The identity columns, which are the same in all rows of this cell."""
        names = ["explainer", "distribution", "plugin_version", "plugin_digest", "device", "seed"]
        names += ["task", "task_version", "dataset", "category", "performer"]
        return {"cell": self.key, "options": canonical(dict(self.options)), **{n: getattr(self, n) for n in names}}

    def path(self, folder: Path) -> Path:
        """Its file: `<folder>/<dataset>/<slug of the task without its dataset>/<explainer>-<key>.parquet`."""
        return _path(folder, self.columns, ".parquet")


def cell_path(folder: Path, row: Mapping[str, Any]) -> Path:
    """Where the file of the cell of a row lies, see `Cell.path`."""
    return _path(folder, row, ".parquet")


def picture_path(folder: Path, row: Mapping[str, Any]) -> Path:
    """Where the picture of a cell goes: as its result, with .png."""
    return _path(folder, row, ".png")


def _path(folder: Path, row: Mapping[str, Any], suffix: str) -> Path:
    task = str(row["task"]).removeprefix(f"{row['dataset']}/")
    name = f"{safe_name(str(row['explainer']))}-{safe_name(str(row['cell']))}{suffix}"
    return Path(folder) / slug(str(row["dataset"])) / slug(task) / name
