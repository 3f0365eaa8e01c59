"""Means over seeds and tasks of each explainer on each board, and what is known of the explainer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from partbench.leaderboard.current import numbered
from partbench.leaderboard.origins import is_own
from partbench.leaderboard.units import unit_of

ROW = ["board", "explainer", "variant", "metric"]
LEAST_SHARE = 0.5  # of the explainers that must cover a task
DIFFERENT = "different"  # the network of a row whose cells explain several
_FIRST = [*ROW, "label", "dataset", "performer", "distribution"]
_LAST = ["control", "higher_is_better", "low_bound", "high_bound", "network"]  # the last that is known
_TEXTS = [*ROW, "label", "dataset", "performer", "distribution", "control", "coverage", "seeds", "network", "unit"]


def on_shared_tasks(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows, of which those on tasks that less than half of the explainers cover are not `scored`.

    Counted for each board and metric, among explainers of partbench with default options; where there is none, among
    the owners of others. Else a single explainer that runs on one more task, or many copies that run on one only, would
    take the values of all others away.
    """
    board = numbered([pd.factorize(rows[name])[0] for name in ("board", "metric")])
    task = numbered([board, pd.factorize(rows["task"])[0]])
    voting, own = (rows["scored"] & (rows["variant"] == "")).to_numpy(bool), is_own(rows)
    voting = voting & (own | ~pd.Series(own & voting).groupby(board).transform("any").to_numpy(bool))
    explainers = pd.factorize(rows["explainer"].where(own, rows["distribution"]))[0]
    voters = pd.Series(explainers[voting])
    of_board = voters.groupby(board[voting]).nunique().reindex(board).fillna(0).to_numpy()
    of_task = voters.groupby(task[voting]).nunique().reindex(task).fillna(0).to_numpy()
    return rows.assign(scored=rows["scored"] & (of_task >= LEAST_SHARE * of_board))


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per board, explainer with variant, and metric, sorted; `rows` are those of `current`.

    `value` is the mean over seeds per task, then over tasks; NaN unless every task that any explainer covers with this
    metric is covered (see `on_shared_tasks`). A task is covered if all its cells are scored; `coverage` says how many
    are (`4/6`). `images` is the total over tasks, `seeds` the seeds used, `categories` those covered. `network` is what
    the explainer explains: "" for the performer, `DIFFERENT` where its cells differ. `deterministic` is declared or,
    where it is not known, inferred: several seeds have equal values in all metrics; it is believed of partbench's own
    explainers alone. `one_seed`: no task has two seeds, or (of explainers of others) some task has a single one, and
    the explainer is not deterministic. `reported_variance`, `reported_degrees`: of values without a direction, over
    seeds.
    """
    rows = rows.assign(**{name: _column(rows, name).where(rows["scored"]) for name in ("network", "deterministic")})
    if rows.empty:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in (*_FIRST, *_LAST, *_COMPUTED, "categories")})
    row_of = numbered([pd.factorize(rows[name], sort=True)[0] for name in ROW])
    first = np.unique(row_of, return_index=True)[1]
    names = rows[_FIRST].iloc[first].reset_index(drop=True).join(rows[_LAST].groupby(row_of).last())
    different = rows["network"].groupby(row_of).nunique() > 1
    table = names.assign(network=names["network"].fillna("").where(~different, DIFFERENT))
    table = table.assign(unit=table["metric"].map(unit_of), **_of_cells(rows, row_of, len(table)))
    own = is_own(table)
    fixed = table["label"].map(_deterministic(rows)).astype(bool) & own
    seeds = table.pop("most_seeds").where(own, table.pop("least_seeds"))
    table = table.assign(deterministic=fixed, one_seed=~fixed & (seeds == 1))
    for name, usual in (("low_bound", -np.inf), ("high_bound", np.inf)):
        table[name] = table[name].astype(float).fillna(usual)
    return table.astype(dict.fromkeys(_TEXTS, object)).reset_index(drop=True)


_COMPUTED = ["value", "tasks", "coverage", "seeds", "images", "reported_variance", "reported_degrees", "unit"]
_COMPUTED += ["deterministic", "one_seed"]


def _column(rows: pd.DataFrame, name: str) -> pd.Series:
    """A column of version 4 of the results; unknown in older ones."""
    return rows[name].astype(object) if name in rows else pd.Series(None, rows.index, dtype=object)


def _deterministic(rows: pd.DataFrame) -> pd.Series:
    """Which explainers, by label, draw nothing at random."""
    rows = rows[rows["scored"] & rows["higher_is_better"].notna()]
    codes = [pd.factorize(rows[name])[0] for name in ("label", "task", "metric")]
    group = numbered(codes)
    spread = rows["value"].groupby(group).agg(["min", "max", "size"])
    equal = np.isclose(spread["min"], spread["max"], rtol=1e-9, atol=0)
    label = rows["label"].to_numpy()[np.unique(group, return_index=True)[1]]
    several = (spread["size"] > 1).groupby(label).any()
    same = pd.Series(equal, spread.index).groupby(label).all()
    declared = rows["deterministic"].groupby(rows["label"]).last().reindex(same.index)
    return same & (several | declared.eq(True)) & ~declared.eq(False)


def _of_cells(rows: pd.DataFrame, row_of: Int[np.ndarray, "n"], count: int) -> dict[str, Any]:
    """Columns that are computed from the cells of covered tasks."""
    task = pd.factorize(rows["task"], sort=True)[0]
    covered = rows["scored"].groupby(numbered([row_of, task])).transform("all").to_numpy(bool)
    metric_of = numbered([pd.factorize(rows[name], sort=True)[0] for name in ("board", "metric")])
    wanted = pd.Series(task[covered]).groupby(metric_of[covered]).nunique()
    of_row = pd.Series(metric_of).groupby(row_of).first().map(wanted).fillna(0).to_numpy(int)
    category, categories = pd.factorize(rows["category"], sort=True)
    cells = {"row": row_of, "task": task, "category": category}
    cells |= {name: rows[name].to_numpy() for name in ("seed", "images", "value")}
    order = np.lexsort((cells["seed"], task, row_of))
    cells = {name: column[order][covered[order]] for name, column in cells.items()}
    ends = np.searchsorted(cells["row"], np.arange(count + 1)).tolist()
    texts, seeds, codes = np.asarray(categories, object), cells["seed"].tolist(), cells["category"].tolist()
    spans = list(pairwise(ends))
    return _numbers(cells, of_row, rows["higher_is_better"].isna().groupby(row_of).all().to_numpy(bool)) | {
        "seeds": [" ".join(map(str, sorted(set(seeds[start:stop])))) for start, stop in spans],
        "categories": [tuple(sorted(texts[list(set(codes[start:stop]))])) for start, stop in spans],
    }


def _numbers(
    cells: dict[str, np.ndarray], wanted: Int[np.ndarray, "r"], reported: Bool[np.ndarray, "r"]
) -> dict[str, Any]:
    """Of each row, from the cells on covered tasks, sorted by row, task and seed."""
    row, value, count = cells["row"], cells["value"], len(wanted)
    first = np.flatnonzero((np.diff(row, prepend=-1) != 0) | (np.diff(cells["task"], prepend=-1) != 0))
    each, of = np.diff(first, append=len(row)), row[first]  # seeds of a task, and its row
    of_task = np.add.reduceat(value, first) / each if len(first) else np.empty(0)
    tasks = np.bincount(of, minlength=count)
    complete = (tasks > 0) & (tasks == wanted)
    degrees = np.bincount(row, minlength=count) - tasks
    shown, most, least = reported & complete & (degrees > 0), np.zeros(count, int), np.full(count, len(row))
    np.maximum.at(most, of, each)
    np.minimum.at(least, of, each)
    images = np.maximum.reduceat(cells["images"], first) if len(first) else np.empty(0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        squares = np.bincount(row, np.square(value - np.repeat(of_task, each)), count)
        # The variance over seeds of the mean, pooled within tasks; none with single seeds.
        variance = squares / degrees * np.bincount(of, 1 / each, count) / tasks**2
        mean = np.bincount(of, of_task, count) / tasks
    return {
        "value": np.where(complete, mean, np.nan),
        "tasks": tasks,
        "coverage": [f"{some}/{of_all}" for some, of_all in zip(tasks.tolist(), wanted.tolist(), strict=True)],
        "most_seeds": most,
        "least_seeds": np.minimum(least, most),
        "images": np.bincount(of, images, count).astype(int),
        "reported_variance": np.where(shown, variance, np.nan),
        "reported_degrees": np.where(shown, degrees, np.nan),
    }
