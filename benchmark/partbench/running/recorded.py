"""Cells that lie in a folder of results, as jobs that do them again. Imports no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from partbench import options
from partbench.errors import InputError
from partbench.running.cell_job import CellJob, Setting

_NAME = re.compile(r"(?:^|,)(\w+)=")


def recorded_job(row: Mapping[str, Any], setting: Setting) -> CellJob:
    """The job that made a row of a cell: the options that its variant names, with the values recorded.

    Other options follow from these, as they did then; where they do not, the key of the cell is another. Raises
    InputError for options that are no JSON object.
    """
    try:
        recorded = dict(json.loads(row["options"]).items())
        named = _NAME.findall(str(row["variant"] or ""))
        given = options.as_texts({name: recorded[name] for name in named if name in recorded})
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"the options of the cell are {row['options']!r:.60}, expected a JSON object") from error
    return CellJob(str(row["explainer"]), given, str(row["task"]), int(row["seed"]), setting)


def no_such_explainer(row: Mapping[str, Any]) -> str:
    """Why the explainer of a row made with a plugin file is unknown, and what to add; "" for other rows."""
    file = str(row.get("distribution", ""))
    if not file.endswith(".py"):
        return ""
    return f"its explainer '{row['explainer']}' is of the plugin file {file}; add --plugin-file PATH/{file}"
