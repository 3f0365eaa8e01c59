"""Any two explainers compared on every board on which both have results."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from partbench.errors import InputError, unknown
from partbench.functional.statistics import Comparison, Estimate, compare, holm
from partbench.leaderboard.current import current
from partbench.leaderboard.verdicts import ALPHA, NOT_COMPARABLE, UNDECIDED, Board, judged

THESE, NEW = "these", "new"
COLUMNS = ["board", "metric", "a", "b", "scope", "difference", "low", "high", "p", "p_adjusted", "better", "images"]
COLUMNS += ["of_images", "tasks", "verdict", "one_seed"]


def compared(
    rows: pd.DataFrame,
    images: pd.DataFrame,
    labels: tuple[str, str],
    task: str | None = None,
    metric: str | None = None,
    scope: str = THESE,
) -> pd.DataFrame:
    """A row per board and metric that both explainers have, with the columns of `verdicts.pairs`, `scope` and `tasks`.

    `rows` are those of `load_results`, `images` those of `load_evidence`. Explainers are named by their labels, tasks
    by a glob; without `metric` all metrics are compared that have ranks. Scope "these" speaks of these categories,
    "new" of categories like these, from four tasks. p is adjusted by Holm's method over the rows. As on
    boards, none is better whose mean over all of its images is not better. Raises InputError for
    an explainer, metric or task without results, for an explainer compared with itself, and where no board has both.
    """
    rows = _asked(current(rows), labels, task, metric)
    boards = judged(rows, images[images["cell"].isin(set(rows["cell"]))]).boards
    both = [board for board in boards if set(labels) <= set(board.aligned.labels) and _wanted(board, metric)]
    of_boards = [row for board in both for row in _rows(board, labels, scope)]
    found = pd.DataFrame(of_boards, columns=[*COLUMNS, "same_order"])
    if found.empty:
        why = " in four tasks or more" if scope == NEW and both else ""
        raise InputError(f"no board has results of '{labels[0]}' and '{labels[1]}'{why}; run both on the same tasks")
    known = found["verdict"] != NOT_COMPARABLE
    adjusted = holm(found["p"].where(known).to_numpy(float))
    sure = known & (adjusted < ALPHA) & found.pop("same_order")
    return found.assign(p_adjusted=adjusted, verdict=found["verdict"].where(sure | ~known, UNDECIDED))


def _asked(rows: pd.DataFrame, labels: tuple[str, str], task: str | None, metric: str | None) -> pd.DataFrame:
    if labels[0] == labels[1]:
        raise InputError(f"'{labels[0]}' is compared with itself; name two explainers, with their options")
    for label in labels:
        if label not in set(rows["label"]):
            raise unknown("explainer with results", label, sorted(set(rows["label"])))
    if metric is not None and metric not in set(rows["metric"]):
        raise unknown("metric with results", metric, sorted(set(rows["metric"])))
    if task is not None:
        names = sorted(set(rows["task"]))
        wanted = [name for name in names if fnmatchcase(name, task)]
        if not wanted:
            raise InputError(f"no results of task '{task}'; there are those of {', '.join(names)}")
        rows = rows[rows["task"].isin(wanted)]
    return rows[rows["metric"] == metric] if metric is not None else rows[~rows["metric"].str.contains("@")]


def _wanted(board: Board, metric: str | None) -> bool:
    return metric is not None or not pd.isna(board.rows["higher_is_better"]).any()


def _rows(board: Board, labels: tuple[str, str], scope: str) -> Iterator[dict[str, Any]]:
    """The row of a board; none where it has nothing to say in this scope."""
    a, b = (board.evidence(label) for label in labels)
    try:
        found = compare(a, b, board.pairing(*labels))
    except ValueError:  # no task with two images on which both have a value
        return
    estimate = found.these if scope == THESE else found.new
    if estimate is None:
        return
    span = board.bounds[1] - board.bounds[0]
    low, high = np.clip(estimate.interval(), -span, span)
    places = np.array([[board.aligned.labels.index(label) for label in labels]])
    same_order = board.same_order(places, np.array([estimate.difference]))
    yield {
        "board": board.aligned.board, "metric": board.aligned.metric, "a": labels[0], "b": labels[1], "scope": scope,
        "difference": estimate.difference, "low": low, "high": high, "p": estimate.p, "p_adjusted": np.nan,
        "better": found.better, "images": found.images, "of_images": found.of_images, "tasks": len(found.tasks),
        "verdict": _verdict(board, found, estimate), "one_seed": found.one_seed, "same_order": bool(same_order[0]),
    }  # fmt: skip


def _verdict(board: Board, found: Comparison, estimate: Estimate) -> str:
    """Who is better, if the difference is sure."""
    if not found.comparable:
        return NOT_COMPARABLE
    return "a better" if estimate.difference * board.sign > 0 else "b better"
