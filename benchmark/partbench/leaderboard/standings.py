"""Standings: which rows count, means over equal sets of tasks, intervals, ranks and ties."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from partbench.leaderboard.intervals import mean_intervals
from partbench.leaderboard.numbers_alone import unsupported
from partbench.results.schema import AGGREGATE, label

FLOOR, ABLATION = "floor", "ablation"
UNRANKED = (FLOOR, ABLATION)
# Texts that pages are made of; the others stay as they are, since a column of a million Python strings takes 8 MB.
_READ = ["cell", "explainer", "variant", "task", "dataset", "category", "performer", "metric", "unit", "status"]
_READ += ["reason", "control", "compared_with", "task_version", "metric_version"]
_ROW = ["board", "explainer", "variant", "metric"]


def current(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that count, one aggregate row per explainer, variant, task, seed and metric.

    Of several versions of a task or (within a dataset) of a metric only the newest counts; of several cells with one
    (explainer, variant, task, seed) the one asked for last (`asked_at`; without this column, the one made last). Adds
    `board`, `label` and `scored`: status ok and a value that is not NaN. Texts that pages read become plain strings.
    Idempotent: rows that already have these
    columns, all or some of them, are returned unchanged.
    """
    if "scored" in frame:
        return frame
    rows = _newest(frame[frame["unit"] == AGGREGATE], ["task"], "task_version")
    when = rows["asked_at" if "asked_at" in rows else "created_at"].to_numpy("datetime64[us]")
    cell, metric = (pd.factorize(rows[name], sort=True)[0] for name in ("cell", "metric"))
    rows = rows.iloc[np.lexsort((metric, cell, when))]
    rows = rows[~rows.duplicated(["cell", "metric"], keep="last")]
    cell = pd.Series(pd.factorize(rows["cell"], sort=True)[0], rows.index)
    same = [pd.factorize(rows[name])[0] for name in ("explainer", "variant", "task", "seed")]
    rows = rows[cell == cell.groupby(same).transform("last")]
    rows = _newest(rows, ["dataset", "metric"], "metric_version")
    rows = rows.assign(**{name: rows[name].astype(object) for name in _READ})
    rows = rows.assign(
        board=_of_each(rows, ["task"], board_of),
        control=rows["control"].fillna(""),
        compared_with=rows["compared_with"].fillna(""),
        label=_of_each(rows, ["explainer", "variant"], label),
        scored=(rows["status"] == "ok") & rows["value"].notna(),
    )
    return rows.reset_index(drop=True)


def _of_each(rows: pd.DataFrame, columns: list[str], function: Callable[..., str]) -> pd.Series:
    """A function of some columns, called once for each combination of their values."""
    if rows.empty:
        return pd.Series([], rows.index, dtype=object)
    number = _numbered([pd.factorize(rows[name])[0] for name in columns])
    first = np.unique(number, return_index=True)[1]
    texts = [function(*values) for values in rows[columns].iloc[first].itertuples(index=False)]
    return pd.Series(np.array(texts, object)[number], rows.index, dtype=object)


def board_of(task: str) -> str:
    """The board of a task: `fauna/multi:*` of `fauna/multi:bird`, and likewise `fauna/attribute-*`, `fauna/*`.

    Tasks with a performer of their own (`fauna/multi:bird@alexnet`) are on another board, `fauna/multi:*@alexnet`, and
    those that name their negatives (`fauna/bird:others`) on `fauna/*:others`. `fauna/multi` is a board by itself.
    """
    dataset, _, place = task.partition("/")
    category, at, performer = place.rpartition("@") if "@" in place else (place, "", "")
    name, colon, rest = category.partition(":")
    if name == "multi":
        kind = f"multi{colon and ':*'}"
    else:
        kind = f"{'attribute-' if name.startswith('attribute-') else ''}*{colon}{rest}"
    return f"{dataset}/{kind}{at}{performer}"


def standings(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per board, explainer with variant, and metric; sorted, the same whatever the order of `frame`.

    A board holds the tasks of a dataset that `board_of` puts together. `value` is the mean over seeds per task, then
    over tasks. It is NaN unless every task that any explainer covers with this metric is covered; a task is covered if
    all its cells are scored. `coverage` says how many are (`4/6`). `low`, `high`: `intervals.mean_interval`. `best`
    marks the best value and all whose intervals overlap its interval: they share rank 1; the others rank after all that
    are separated from them. `control` is what explainers declare: floors and ablations have no rank, baselines have.
    Metrics with '@', rows without an interval and what explainers report of themselves have no rank.
    `beaten_by_control`: not separated from every floor, or worse than one. `unsupported`: see
    `numbers_alone.unsupported`. `images` is the total over tasks, `seeds` the seeds used, `categories` those covered.
    """
    rows = current(frame)
    table = pd.DataFrame(_standings(rows), columns=[*_ROW, *_STANDING]).astype(dict.fromkeys(_TEXTS, object))
    ranked = [_ranked(group) for _, group in table.groupby(["board", "metric"], sort=False)]
    table = pd.concat(ranked).sort_values(_ROW).reset_index(drop=True) if ranked else _ranked(table)
    return table.assign(unsupported=unsupported(table))


_STANDING = ["dataset", "performer", "control", "higher_is_better", "value", "low", "high", "tasks", "coverage"]
_STANDING += ["seeds", "images", "categories"]
_TEXTS = [
    *_ROW,
    "dataset",
    "performer",
    "control",
    "coverage",
    "seeds",
]  # Python strings: Arrow's are slow to read one by one


def _standings(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The standings but for what compares them."""
    if rows.empty:
        return
    codes = {name: pd.factorize(rows[name], sort=True)[0] for name in [*_ROW, "task"]}
    row_of = _numbered([codes[name] for name in _ROW])
    covered = rows["scored"].groupby(_numbered([row_of, codes["task"]])).transform("all").to_numpy(bool)
    said = {"dataset": "first", "performer": "first", "control": "last", "higher_is_better": "last"}
    names = rows[_ROW].groupby(row_of).first().join(rows[list(said)].groupby(row_of).agg(said))
    cells = _cells(rows, covered, row_of, codes["task"])
    metric_of = _numbered([codes["board"], codes["metric"]])
    wanted = pd.Series(codes["task"][covered]).groupby(metric_of[covered]).nunique()
    of_row = pd.Series(metric_of).groupby(row_of).first().map(wanted).fillna(0).astype(int)
    ends = np.searchsorted(cells["row"], np.arange(len(names) + 1))
    found = [
        _standing({name: column[ends[at] : ends[at + 1]] for name, column in cells.items()}, number)
        for at, number in enumerate(of_row)
    ]
    bounds = mean_intervals([(one.pop("numbers"), one.pop("counts")) for one in found])
    for row, one, (low, high) in zip(names.to_dict("records"), found, bounds, strict=True):
        yield {**row, **one, "low": low, "high": high}


def _numbered(codes: Sequence[Int[np.ndarray, "n"]]) -> Int[np.ndarray, "n"]:
    """One number for each combination of codes (from -1, which is none), in their order."""
    numbers = codes[0].astype(np.int64)
    for more in codes[1:]:
        numbers = np.unique(numbers * (int(more.max()) + 2) + more + 1, return_inverse=True)[1]
    return numbers


def _cells(
    rows: pd.DataFrame, covered: Bool[np.ndarray, "n"], row_of: Int[np.ndarray, "n"], task: Int[np.ndarray, "n"]
) -> dict[str, np.ndarray]:
    """Columns of the covered rows, sorted (row, task, seed); `numbers` (n, 3) are value, low and high."""
    numbers = _with_bounds(rows[covered], row_of[covered], task[covered])
    category, categories = pd.factorize(rows["category"], sort=True)
    columns = {"row": row_of, "task": task, "seed": rows["seed"].to_numpy(), "images": rows["images"].to_numpy()}
    columns = {name: column[covered] for name, column in columns.items()}
    order = np.lexsort((columns["seed"], columns["task"], columns["row"]))
    columns |= {"numbers": numbers, "category": np.asarray(categories, object)[category[covered]]}
    return {name: column[order] for name, column in columns.items()}


def _with_bounds(
    cells: pd.DataFrame, row_of: Int[np.ndarray, "n"], task: Int[np.ndarray, "n"]
) -> Float[np.ndarray, "n 3"]:
    """value, low and high; what an explainer reports of itself, several seeds through, moves with the training only."""
    numbers = cells[["value", "low", "high"]].to_numpy(float)
    if not len(cells):
        return numbers
    several = np.bincount(_numbered([row_of, task]))[_numbered([row_of, task])] > 1
    reported = (cells["higher_is_better"].isna() & (cells["images"] == 0)).to_numpy(bool) & several
    return np.where(reported[:, None] & np.isnan(numbers), numbers[:, :1], numbers)


def _standing(cells: dict[str, np.ndarray], wanted: int) -> dict[str, Any]:
    """From the cells of the covered tasks of one row; `numbers` and `counts` are what its interval is made of."""
    _, starts, counts = np.unique(cells["task"], return_index=True, return_counts=True)
    complete = 0 < len(starts) == wanted
    return {
        "value": (np.add.reduceat(cells["numbers"][:, 0], starts) / counts).mean() if complete else np.nan,
        "numbers": cells["numbers"] if complete else np.full((1, 3), np.nan),
        "counts": tuple(counts.tolist()),
        "tasks": len(starts),
        "coverage": f"{len(starts)}/{wanted}",
        "seeds": " ".join(map(str, np.unique(cells["seed"]))),
        "images": int(np.maximum.reduceat(cells["images"], starts).sum()) if len(starts) else 0,
        "categories": tuple(sorted(set(cells["category"]))),
    }


def _ranked(group: pd.DataFrame) -> pd.DataFrame:
    """The standings of one metric on one board, with rank, best and beaten_by_control."""
    floor, unranked = (group["control"].isin(kinds).to_numpy(bool) for kinds in ([FLOOR], UNRANKED))
    ranks = np.full(len(group), np.nan)
    best, beaten = np.zeros(len(group), bool), np.zeros(len(group), bool)
    if len(group) and "@" not in group["metric"].iloc[0] and group["higher_is_better"].notna().all():
        sign = 1 if group["higher_is_better"].iloc[-1] else -1
        value, *ends = sign * group[["value", "low", "high"]].to_numpy(float).T
        exact = floor & np.isnan(ends[0])  # a value without an interval is exact: the map is the same for all images
        low, high = np.sort(np.where(exact, value, ends), axis=0)
        better = low[:, None] > high[None, :]  # [i, j]: the interval of i is better than and apart from that of j
        known = ~np.isnan(low)
        if (ranked := known & ~unranked).any():
            first = np.argmax(np.where(ranked, value, -np.inf))
            best = ranked & ~better[first]
            ranks[ranked] = np.where(best, 1, 1 + better[ranked].sum(axis=0))[ranked]
        if (floors := known & floor).any():
            beaten = ~np.isnan(value) & ~floor & ~better[:, floors].all(axis=1)
    return group.assign(rank=ranks, best=best, beaten_by_control=beaten)


def _newest(rows: pd.DataFrame, by: list[str], version: str) -> pd.DataFrame:
    if rows.empty:
        return rows
    number = _numbered([pd.factorize(rows[name])[0] for name in (*by, version)])
    first = np.unique(number, return_index=True)[1]
    found = rows[[*by, version]].iloc[first].astype(object)
    newest = found.groupby(by)[version].transform(lambda versions: max(versions, key=_version_order))
    return rows[(found[version] == newest).to_numpy(bool)[number]]


def _version_order(version: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(number) for number in re.findall(r"\d+", version)), version
