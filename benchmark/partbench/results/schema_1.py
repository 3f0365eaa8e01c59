"""Reads what the first version of partbench wrote: its columns and its names of tasks, as they are called now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from partbench.results import schema
from partbench.results.schema import AGGREGATE, LATER, SCHEMA

VERSION = 1
COLUMNS = schema.COLUMNS[: schema.COLUMNS.index("schema_version")]
# Datasets of the first version whose every category was an attribute without saying so.
_ATTRIBUTES_ONLY = ("celeba",)
# The controls of the first version, which explainers did not declare: explainer, option, its value, kind of control.
_CONTROLS = (
    ("random_maps", None, None, "floor"),
    ("centre_map", None, None, "floor"),
    ("interp_cnn", "trained", False, "ablation"),
    ("interp_cnn", "loss", False, "ablation"),
)
_OF_CONCEPTS = ("location_instability", "part_following", "part_interpretability")


def upgrade(table: pa.Table) -> pa.Table:
    """Rows of one cell in the columns and names of the present version; `schema_version` stays 1."""
    if not len(table):
        return SCHEMA.empty_table()
    first = {name: table[name][0].as_py() for name in ("task", "dataset", "explainer", "options")}
    same: dict[str, Any] = dict.fromkeys(schema.COLUMNS[len(COLUMNS) :], "")
    same |= {"low_bound": np.nan, "high_bound": np.nan, "threads": 0, "schema_version": VERSION}
    same["control"] = control_of(first["explainer"], json.loads(first["options"] or "{}"))
    same |= dict.fromkeys(LATER)
    columns = {name: table[name] for name in COLUMNS}
    columns |= {name: _repeated(value, len(table), name) for name, value in same.items()}
    columns["task"] = _repeated(present_task(first["task"], first["dataset"]), len(table), "task")
    columns["unit_kind"] = _unit_kinds(table)
    return pa.table(columns, schema=SCHEMA)


def present_task(name: str, dataset: str) -> str:
    """The present name of a task: `d/cat@p`, one logit of a network of many categories, is now `d/multi:cat@p`."""
    place = name.removeprefix(f"{dataset}/")
    if place.partition("@")[0] == "multi" or place.startswith("attribute-"):
        return name
    return f"{dataset}/{'attribute-' if dataset in _ATTRIBUTES_ONLY else 'multi:'}{place}"


def control_of(explainer: str, options: Mapping[str, Any]) -> str:
    """What kind of control an explainer of the first version is, from its name and options; "" if none."""
    kinds = (
        kind for name, option, value, kind in _CONTROLS if name == explainer and options.get(option or "") is value
    )
    return next(kinds, "")


def kind_of_unit(metric: str, unit: str) -> str:
    """What a value is of: "all", "image", "concept" or "part"."""
    name = metric.partition("@")[0]
    if unit == AGGREGATE:
        return AGGREGATE
    if name in _OF_CONCEPTS or metric == "locality" or metric.endswith("@dead_concepts"):
        return "concept"
    return "part" if name == "contribution_error" else "image"


def _unit_kinds(table: pa.Table) -> pa.Array:
    pairs = zip(table["metric"].to_pylist(), table["unit"].to_pylist(), strict=True)
    return pa.array([kind_of_unit(*pair) for pair in pairs], pa.string()).cast(SCHEMA.field("unit_kind").type)


def _repeated(value: Any, n: int, column: str) -> pa.Array:
    kind = SCHEMA.field(column).type
    if value is None:
        return pa.nulls(n, kind)
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value], pa.string()))
    return pa.array([value] * n, kind)
