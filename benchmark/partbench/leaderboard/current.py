"""Rows of results that count: of several cells and versions the last one, each on its board."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from partbench.leaderboard.boards import board_of
from partbench.leaderboard.publication import taking_part
from partbench.results.schema import AGGREGATE, label

FLOOR, ABLATION = "floor", "ablation"
UNRANKED = (FLOOR, ABLATION)
# Texts that pages are made of; the others stay as they are, since a column of a million Python strings takes 8 MB.
_READ = ["cell", "explainer", "variant", "task", "dataset", "category", "performer", "metric", "unit", "status"]
_READ += ["reason", "control", "compared_with", "task_version", "metric_version"]


def current(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that count, one aggregate row per explainer, variant, task, seed and metric; of those `taking_part`.

    Of several versions of a task or (within a dataset) of a metric only the newest counts; of several cells with one
    (explainer, variant, task, seed) the one asked for last (`asked_at`; without this column, the one made last). Adds
    `board`, `label` and `scored`: status ok and a finite value. What an explainer reports of itself under the name of a
    metric of its dataset is left out. Texts that pages read become plain strings.
    Idempotent: rows that already have these columns, all or some of them, are returned unchanged.
    """
    if "scored" in frame:
        return frame
    frame = taking_part(frame)
    rows = _newest(frame[frame["unit"] == AGGREGATE], ["task"], "task_version")
    when = rows["asked_at" if "asked_at" in rows else "created_at"].to_numpy("datetime64[us]")
    cell, metric = (pd.factorize(rows[name], sort=True)[0] for name in ("cell", "metric"))
    rows = rows.iloc[np.lexsort((metric, cell, when))]
    rows = rows[~rows.duplicated(["cell", "metric"], keep="last")]
    cell = pd.Series(pd.factorize(rows["cell"], sort=True)[0], rows.index)
    same = [pd.factorize(rows[name])[0] for name in ("explainer", "variant", "task", "seed")]
    rows = rows[cell == cell.groupby(same).transform("last")]
    rows = _newest(_without_namesakes(rows), ["dataset", "metric"], "metric_version")
    rows = rows.assign(**{name: rows[name].astype(object) for name in _READ})
    rows = rows.assign(
        board=_of_each(rows, ["task"], board_of),
        control=rows["control"].fillna(""),
        compared_with=rows["compared_with"].fillna(""),
        label=_of_each(rows, ["explainer", "variant"], label),
        scored=(rows["status"] == "ok") & np.isfinite(rows["value"].astype(float)),
    )
    return rows.reset_index(drop=True)


def _without_namesakes(rows: pd.DataFrame) -> pd.DataFrame:
    """Without rows that have no direction where others of their dataset and metric have one: these are no metric's."""
    directed = rows["higher_is_better"].notna()
    metric = numbered([pd.factorize(rows[name])[0] for name in ("dataset", "metric")])
    return rows[directed | ~directed.groupby(metric).transform("any")]


def _of_each(rows: pd.DataFrame, columns: list[str], function: Callable[..., str]) -> pd.Series:
    """A function of some columns, called once for each combination of their values."""
    if rows.empty:
        return pd.Series([], rows.index, dtype=object)
    number = numbered([pd.factorize(rows[name])[0] for name in columns])
    first = np.unique(number, return_index=True)[1]
    texts = [function(*values) for values in rows[columns].iloc[first].itertuples(index=False)]
    return pd.Series(np.array(texts, object)[number], rows.index, dtype=object)


def numbered(codes: Sequence[Int[np.ndarray, "n"]]) -> Int[np.ndarray, "n"]:
    """One number for each combination of codes (from -1, which is none), in their order."""
    numbers = codes[0].astype(np.int64)
    for more in codes[1:]:
        numbers = np.unique(numbers * (int(more.max(initial=-1)) + 2) + more + 1, return_inverse=True)[1]
    return numbers


def _newest(rows: pd.DataFrame, by: list[str], version: str) -> pd.DataFrame:
    if rows.empty:
        return rows
    number = numbered([pd.factorize(rows[name])[0] for name in (*by, version)])
    first = np.unique(number, return_index=True)[1]
    found = rows[[*by, version]].iloc[first].astype(object)
    newest = found.groupby(by)[version].transform(lambda versions: max(versions, key=_version_order))
    return rows[(found[version] == newest).to_numpy(bool)[number]]


def _version_order(version: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(number) for number in re.findall(r"\d+", version)), version
