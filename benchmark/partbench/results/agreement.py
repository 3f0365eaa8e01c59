"""Whether a cell that was run again gives the values that were reported of it; docs/publishing.md has the rule.

On the machine type that reported them, values are expected to be equal to the bit. Elsewhere rounding differs, and
trained networks come out a little different, so that two values of a metric agree within

    relative * |found| + spread * (width of the 95 % interval found)

and the values of its units (images, concepts, parts) if their mean absolute difference is at most

    relative * mean |found| + spread * (standard deviation of those found).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from partbench.results.schema import AGGREGATE, TEXTS

RELATIVE = {True: 1e-3, False: 1e-2}  # by whether the explainer draws nothing
SPREAD = {True: 0.1, False: 0.5}
# What determines a cell or what pages make of it; the time, the machine and the version of the package do not.
SAME = ("cell", "explainer", "variant", "distribution", "plugin_digest", "options", "task", "task_version", "dataset",
        "category", "performer", "seed", "device", "control", "compared_with", "deterministic", "network")  # fmt: skip
SAME_OF_METRIC = ("metric_version", "status", "higher_is_better", "low_bound", "high_bound", "images")
TIMES = "seconds"  # ends the names of times that explainers report of themselves


@dataclass(frozen=True)
class ComparedValue:
    """A value, or what else is reported of a cell, beside what was found.

    what: a metric, a metric and its units (`accuracy, images`), or a column. difference and tolerance: NaN for what is
    no number. within: whether they agree; equal: to the bit.
    """

    what: str
    reported: Any
    found: Any
    difference: float = np.nan
    tolerance: float = np.nan
    within: bool = True
    equal: bool = True

    @property
    def main(self) -> bool:
        """Whether it is the value of a metric."""
        return "," not in self.what and self.reported == self.reported


def agreements(reported: pd.DataFrame, found: pd.DataFrame) -> list[ComparedValue]:
    """Compare all that was reported of a cell with what was found; rows are those of `cell_file.read_table`.

    A metric that was found and not reported is no disagreement. Columns that an earlier version did not write are not
    compared.
    """
    reported, found = (frame.astype(dict.fromkeys(TEXTS, object)) for frame in (reported, found))
    aggregates, expected = (frame[frame["unit"] == AGGREGATE] for frame in (reported, found))
    lines = list(_differing(aggregates, expected))
    draws_nothing = bool(expected["deterministic"].eq(True).all())
    of_metric = dict(list(found.groupby("metric")))
    for metric, rows in reported.groupby("metric", sort=True):
        name = str(metric)
        if metric not in of_metric:
            lines.append(ComparedValue(name, _value(rows), "not computed here", within=False, equal=False))
        elif not name.endswith(TIMES):
            lines += _of_metric(name, rows, of_metric[metric], draws_nothing)
    return lines


def _differing(reported: pd.DataFrame, found: pd.DataFrame) -> Iterator[ComparedValue]:
    """Columns of the whole cell that differ."""
    expected = found.iloc[0]
    for name in SAME:
        known = reported[name].dropna()
        if len(other := known[known != expected[name]]):
            yield ComparedValue(name, other.iloc[0], expected[name], within=False, equal=False)


def _of_metric(name: str, reported: pd.DataFrame, found: pd.DataFrame, draws_nothing: bool) -> Iterator[ComparedValue]:
    aggregates, expected = (frame[frame["unit"] == AGGREGATE] for frame in (reported, found))
    if len(aggregates) != 1 or len(expected) != 1:
        counts = [f"{len(side)} aggregates" for side in (aggregates, expected)]
        yield ComparedValue(name, counts[0], counts[1], within=False, equal=False)
        return
    one, other = aggregates.iloc[0], expected.iloc[0]
    for column in SAME_OF_METRIC:
        if not _same(one[column], other[column]):
            yield ComparedValue(f"{name}, {column}", one[column], other[column], within=False, equal=False)
    relative, spread = RELATIVE[draws_nothing], SPREAD[draws_nothing]
    width = float(np.nan_to_num(other["high"] - other["low"]))
    for column in ("value", "low", "high"):
        tolerance = relative * abs(float(np.nan_to_num(other[column]))) + spread * width
        label = name if column == "value" else f"{name}, {column}"
        yield _compared(label, float(one[column]), float(other[column]), tolerance)
    yield from _of_units(name, reported, found, (relative, spread))


def _of_units(
    name: str, reported: pd.DataFrame, found: pd.DataFrame, allowed: tuple[float, float]
) -> Iterator[ComparedValue]:
    """The values of images, concepts or parts, kind by kind."""
    sides = [frame[frame["unit"] != AGGREGATE] for frame in (reported, found)]
    for kind in sorted({kind for side in sides for kind in side["unit_kind"]}):
        values = [side[side["unit_kind"] == kind].set_index("unit")["value"].astype(float) for side in sides]
        label = f"{name}, {kind}s"
        if set(values[0].index) != set(values[1].index) or not all(side.index.is_unique for side in values):
            counts = f"{len(values[0])} values", f"{len(values[1])} others"
            yield ComparedValue(label, counts[0], counts[1], within=False, equal=False)
            continue
        one, other = values[0].to_numpy(), values[1].reindex(values[0].index).to_numpy()
        if not np.array_equal(np.isnan(one), np.isnan(other)):
            gaps = [f"{int(np.isnan(side).sum())} missing" for side in (one, other)]
            yield ComparedValue(label, gaps[0], gaps[1], within=False, equal=False)
            continue
        one, other = one[~np.isnan(one)], other[~np.isnan(other)]
        if len(one):
            difference = float(np.abs(one - other).mean())
            tolerance = float(allowed[0] * np.abs(other).mean() + allowed[1] * other.std())
            yield ComparedValue(label, float(one.mean()), float(other.mean()), difference, tolerance,
                            difference <= tolerance, bool((one == other).all()))  # fmt: skip


def _compared(label: str, reported: float, found: float, tolerance: float) -> ComparedValue:
    if (np.isnan(reported) and np.isnan(found)) or reported == found:  # infinities too
        return ComparedValue(label, reported, found, 0.0, tolerance)
    difference = abs(reported - found)
    return ComparedValue(label, reported, found, difference, tolerance, bool(difference <= tolerance), equal=False)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (pd.isna(one) and pd.isna(other))


def _value(rows: pd.DataFrame) -> float:
    return float(rows.loc[rows["unit"] == AGGREGATE, "value"].iloc[0])
