"""Whether a cell that was run again gives the values that were reported of it; docs/publishing.md has the rule.

On the machine type that reported them, values are expected to be equal to the bit. Elsewhere rounding differs, so that
two values of a metric agree within

    relative * |found| + spread * (width of the 95 % interval found)

and the values of its units (images, concepts, parts) if their mean absolute difference is at most

    relative * mean |found| + spread * (standard deviation of those found).

On another type of processor, rounding leads training along another path, and a network ends as it would with another
seed. There a cell of a trained explainer is as far off as another seed if the share of its aggregates and ends of
intervals that agree is at least `SEED_SHARE`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from partbench.results.schema import AGGREGATE, TEXTS

RELATIVE = {True: 1e-3, False: 1e-2}  # by whether the explainer draws nothing
SPREAD = {True: 0.1, False: 0.5}
# Nineteen of twenty pairs of cells of results/ that differ in the seed alone have this share: `seed_pairs.shares`.
SEED_SHARE = 0.63
OF_FILTERS = ("concept", "pair")  # units that are numbered: those of a network trained anew are others
# What determines a cell or what pages make of it; the time, the machine and the version of the package do not.
SAME = ("cell", "explainer", "variant", "distribution", "plugin_digest", "options", "task", "task_version", "dataset",
        "category", "performer", "seed", "device", "control", "compared_with", "deterministic", "network")  # fmt: skip
SAME_OF_METRIC = ("metric_version", "status", "higher_is_better", "low_bound", "high_bound", "images")
ENDS = ("value", "low", "high")
TIMES = "seconds"  # ends the names of times that explainers report of themselves


@dataclass(frozen=True)
class ComparedValue:
    """A value, or what else is reported of a cell, beside what was found.

    what: a metric, a metric and its units (`accuracy, images`), or a column. difference and tolerance: NaN for what is
    no number. within: whether they agree; equal: to the bit. of: "aggregate" for the value of a metric or an end of its
    interval; "units" for what follows from values of units, such as their number; "row" for what rows say of
    themselves, which no training changes.
    """

    what: str
    reported: Any
    found: Any
    difference: float = np.nan
    tolerance: float = np.nan
    within: bool = True
    equal: bool = True
    of: Literal["aggregate", "units", "row"] = "row"

    @property
    def main(self) -> bool:
        """Whether it is the value of a metric."""
        return "," not in self.what and self.reported == self.reported


def share_within(lines: Sequence[ComparedValue]) -> float:
    """The share of aggregates and ends of intervals that agree, without those that both sides lack; NaN of none."""
    within = [line.within for line in lines if line.of == "aggregate" and not _lacking(line.reported, line.found)]
    return float(np.mean(within)) if within else np.nan


def as_another_seed(lines: Sequence[ComparedValue]) -> bool:
    """Whether values are no farther off than those of another seed, and rows say the same of themselves."""
    return all(line.within for line in lines if line.of == "row") and share_within(lines) >= SEED_SHARE


def agreements(reported: pd.DataFrame, found: pd.DataFrame, anew: bool = False) -> list[ComparedValue]:
    """Compare all that was reported of a cell with what was found; rows are those of `cell_file.read_table`.

    A metric that was found and not reported is no disagreement. Columns that an earlier version did not write are not
    compared; with `anew`, for a machine of another type, nor are the filters of a trained explainer.
    """
    reported, found = (frame.astype(dict.fromkeys(TEXTS, object)) for frame in (reported, found))
    aggregates, expected = (frame[frame["unit"] == AGGREGATE] for frame in (reported, found))
    lines = list(_differing(aggregates, expected))
    draws_nothing = bool(expected["deterministic"].eq(True).all())
    if anew and not draws_nothing:
        reported, found = (frame[~frame["unit_kind"].isin(OF_FILTERS)] for frame in (reported, found))
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
            of: Literal["units", "row"] = "units" if column == "images" else "row"
            yield ComparedValue(f"{name}, {column}", one[column], other[column], within=False, equal=False, of=of)
    width = float(other["high"] - other["low"])
    for column in ENDS:
        tolerance = float(tolerances(other[column], width, draws_nothing))
        label = name if column == "value" else f"{name}, {column}"
        yield _compared(label, float(one[column]), float(other[column]), tolerance)
    yield from _of_units(name, reported, found, (RELATIVE[draws_nothing], SPREAD[draws_nothing]))


def tolerances(found: Any, width: Any, draws_nothing: bool) -> Any:
    """How far a reported value may be from the one found, whose interval has this width; numbers or arrays."""
    return RELATIVE[draws_nothing] * np.abs(np.nan_to_num(found)) + SPREAD[draws_nothing] * np.nan_to_num(width)


def agree(reported: Any, found: Any, tolerance: Any) -> Any:
    """Whether values agree within a tolerance; infinity agrees with infinity. Numbers or arrays."""
    with np.errstate(invalid="ignore"):
        return (np.abs(reported - found) <= tolerance) | (reported == found)


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
            yield ComparedValue(label, counts[0], counts[1], within=False, equal=False, of="units")
            continue
        one, other = values[0].to_numpy(), values[1].reindex(values[0].index).to_numpy()
        if not np.array_equal(np.isnan(one), np.isnan(other)):
            gaps = [f"{int(np.isnan(side).sum())} missing" for side in (one, other)]
            yield ComparedValue(label, gaps[0], gaps[1], within=False, equal=False, of="units")
            continue
        one, other = one[~np.isnan(one)], other[~np.isnan(other)]
        if len(one):
            difference = float(np.abs(one - other).mean())
            tolerance = float(allowed[0] * np.abs(other).mean() + allowed[1] * other.std())
            yield ComparedValue(label, float(one.mean()), float(other.mean()), difference, tolerance,
                            difference <= tolerance, bool((one == other).all()), "units")  # fmt: skip


def _compared(label: str, reported: float, found: float, tolerance: float) -> ComparedValue:
    if _lacking(reported, found) or reported == found:  # infinities too
        return ComparedValue(label, reported, found, 0.0, tolerance, of="aggregate")
    within = bool(agree(reported, found, tolerance))
    return ComparedValue(label, reported, found, abs(reported - found), tolerance, within, equal=False, of="aggregate")


def _lacking(reported: float, found: float) -> bool:
    return bool(np.isnan(reported) and np.isnan(found))


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (pd.isna(one) and pd.isna(other))


def _value(rows: pd.DataFrame) -> float:
    return float(rows.loc[rows["unit"] == AGGREGATE, "value"].iloc[0])
