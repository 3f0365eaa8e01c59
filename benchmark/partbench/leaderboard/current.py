"""Rows of results that count: of several cells and versions the last one, each on its board."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from partbench.leaderboard.boards import board_of
from partbench.leaderboard.origins import is_own, told_apart
from partbench.leaderboard.taking_part import taking_part
from partbench.leaderboard.versions import counting, version_of_metric, version_of_task
from partbench.names import in_ascii
from partbench.results.schema import AGGREGATE, label

FLOOR, ABLATION = "floor", "ablation"
UNRANKED = (FLOOR, ABLATION)
# Texts that pages are made of; the others stay as they are, since a column of a million Python strings takes 8 MB.
_READ = ["cell", "explainer", "variant", "task", "dataset", "category", "performer", "metric", "unit", "status"]
_READ += ["reason", "control", "compared_with", "task_version", "metric_version", "distribution", "board", "label"]


def current(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that count, one aggregate row per explainer, variant, task, seed and metric; of those `taking_part`.

    Of several versions of a task or (within a dataset) of a metric one counts, see `versions.counting`; of several
    cells with one (explainer, variant, task, seed) the one asked for last (`asked_at`; without this column, the one
    made last). Explainers of other owners get names of their own (`origins.told_apart`) and are no controls, whatever
    they declare. Adds `board`, `label` and `scored`: status ok and a finite value. Rows that are no values of the
    metric by whose name they go are left out, see `_of_metrics`. Texts that pages read become plain strings.
    Idempotent: rows that already have these columns, all or some of them, are returned unchanged.
    """
    if "scored" in frame:
        return frame
    frame = taking_part(frame)
    rows = _named(frame[frame["unit"] == AGGREGATE])
    time = "asked_at" if "asked_at" in rows else "created_at"
    rows = rows.iloc[np.argsort(rows[time].to_numpy("datetime64[us]"), kind="stable")]
    rows = _of_one_version(rows, ["task"], "task_version", version_of_task)
    when = rows[time].to_numpy("datetime64[us]")
    cell, metric = (pd.factorize(rows[name], sort=True)[0] for name in ("cell", "metric"))
    rows = rows.iloc[np.lexsort((metric, cell, when))]
    rows = rows[~rows.duplicated(["cell", "metric"], keep="last")]
    cell = pd.Series(pd.factorize(rows["cell"], sort=True)[0], rows.index)
    same = [pd.factorize(rows[name])[0] for name in ("explainer", "variant", "task", "seed")]
    rows = rows[cell == cell.groupby(same).transform("last")]
    rows = _of_one_version(_of_metrics(rows), ["metric", "dataset"], "metric_version", lambda metric, _:
                           version_of_metric(metric))  # fmt: skip
    rows = rows.assign(
        board=_of_each(rows, ["task"], board_of),
        control=counted_control(rows),
        compared_with=rows["compared_with"].astype(object).fillna(""),
        label=_of_each(rows, ["explainer", "variant"], label),
        scored=(rows["status"] == "ok") & np.isfinite(rows["value"].astype(float)),
    )
    return rows.assign(**{name: rows[name].astype(object) for name in _READ}).reset_index(drop=True)


def counted_control(rows: pd.DataFrame) -> pd.Series:
    """What each row is a control for in the rules of boards: what it declares, if partbench's own explainer does."""
    return rows["control"].astype(object).fillna("").where(is_own(rows), "")


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.assign(distribution=_of_each(rows, ["distribution"], lambda owner: "" if pd.isna(owner) else owner))
    owned = rows[["explainer", "distribution"]].drop_duplicates()
    names = told_apart(owned.itertuples(index=False, name=None))
    explainer = _of_each(rows, ["explainer", "distribution"], lambda *who: names[who])
    return rows.assign(explainer=explainer, variant=_of_each(rows, ["variant"], in_ascii))


_MEANING = ["higher_is_better", "low_bound", "high_bound"]


def _of_metrics(rows: pd.DataFrame) -> pd.DataFrame:
    """Without rows that have no direction where others of their dataset and metric have one: these are no metric's.

    And without rows of another direction, or with other bounds, than those of partbench's own explainers: these are of
    another metric of that name.
    """
    directed = rows["higher_is_better"].notna()
    metric = numbered([pd.factorize(rows[name])[0] for name in ("dataset", "metric")])
    rows, metric = rows[found := directed | ~directed.groupby(metric).transform("any")], metric[found.to_numpy(bool)]
    own, agree = is_own(rows), np.ones(len(rows), bool)
    for name in _MEANING:
        value = rows[name].astype(float)
        expected = value.where(own).groupby(metric).transform("last")
        agree &= own | (value == expected).to_numpy(bool) | expected.isna().to_numpy() | value.isna().to_numpy()
    return rows[agree]


def _of_each(rows: pd.DataFrame, columns: list[str], function: Callable[..., str]) -> pd.Series:
    """A function of some columns, called once for each combination of their values; a categorical."""
    if rows.empty:
        return pd.Series([], rows.index, dtype="category")
    number = numbered([pd.factorize(rows[name])[0] for name in columns])
    first = np.unique(number, return_index=True)[1]
    texts = [function(*values) for values in rows[columns].iloc[first].itertuples(index=False)]
    names, code = np.unique(np.array(texts, object), return_inverse=True)
    return pd.Series(pd.Categorical.from_codes(code[number], names), rows.index)


def numbered(codes: Sequence[Int[np.ndarray, "n"]]) -> Int[np.ndarray, "n"]:
    """One number for each combination of codes (from -1, which is none), in their order."""
    numbers = codes[0].astype(np.int64)
    for more in codes[1:]:
        numbers = pd.factorize(numbers * (int(more.max(initial=-1)) + 2) + more + 1, sort=True)[0]
    return numbers


def _of_one_version(
    rows: pd.DataFrame, by: list[str], version: str, own: Callable[..., str]
) -> pd.DataFrame:  # fmt: skip
    """The rows of the version that counts, for each combination of `by`; `own` says which one this partbench has.

    Of versions of one age it is that of the last row.
    """
    if rows.empty:
        return rows
    number = numbered([pd.factorize(rows[name])[0] for name in (*by, version)])
    owned = numbered([number, pd.factorize(rows["distribution"])[0]])
    last = np.sort(len(owned) - 1 - np.unique(owned[::-1], return_index=True)[1])
    owners: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for *group, of, who in rows[[*by, version, "distribution"]].iloc[last].itertuples(index=False, name=None):
        versions = owners.setdefault(tuple(group), {})
        versions[of] = {*versions.pop(of, ()), who}
    counts = {group: counting(versions, own(*group)) for group, versions in owners.items()}
    first = np.unique(number, return_index=True)[1]
    found = rows[[*by, version]].iloc[first].itertuples(index=False, name=None)
    keep = np.array([counts[tuple(group)] == of for *group, of in found])
    return rows[keep[number]]
