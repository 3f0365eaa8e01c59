"""Any two explainers compared on every board on which both have results."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int

from partbench.errors import InputError, unknown
from partbench.functional.statistics import Estimates, holm
from partbench.leaderboard.current import current
from partbench.leaderboard.judged import judged
from partbench.leaderboard.verdicts import A_BETTER, ALPHA, B_BETTER, NOT_COMPARABLE, UNDECIDED, Board
from partbench.task_globs import matches

THESE, NEW = "these", "new"
MISSPELT = 0.85  # how alike two patterns of tasks are of which one is taken for a slip, from 0 to 1
BOARD, LINES = "board", "lines"
COLUMNS = ["board", "metric", "a", "b", "scope", "difference", "low", "high", "p", "p_adjusted", "better", "images"]
COLUMNS += ["of_images", "tasks", "verdict", "one_seed", "far_out", "higher_is_better", "family"]


class Asked(NamedTuple):
    """What is compared: tasks by a glob (`task_globs.matches`), a metric by its name, in the scope "these" or "new".

    Scope "these" speaks of these categories, "new" of categories like these, from four tasks. Without `metric` all
    metrics are compared that have ranks.
    """

    task: str | None = None
    metric: str | None = None
    scope: str = THESE


ALL = Asked()


def compared(
    rows: pd.DataFrame, images: pd.DataFrame, labels: tuple[str, str], asked: Asked = ALL, whole: bool = True
) -> pd.DataFrame:  # fmt: skip
    """A row per board and metric that both explainers have, with the columns of `pairs.pairs`, and of `COLUMNS`.

    `rows` are those of `load_results`, `images` those of `load_evidence`, of all explainers and tasks of the datasets
    asked for; `whole` is False if they are not. Explainers are named by their labels.

    `family` is "board" where the board itself compares the two on all of its tasks: then p, the adjusted p and the
    verdict ("a better", "b better") are those of the board. Elsewhere (variants, floors, some tasks of a board, new
    categories) it is "lines": p is adjusted by Holm's method over these rows, and the verdict is "a ahead" or "b
    ahead", which no board says. As on boards, none is either whose mean over all of its images is not better. Raises
    InputError for an explainer, metric or task without results, for an explainer compared with itself, and where no
    board has both.
    """
    rows = current(rows)
    tasks, metrics = _wanted(rows, labels, asked)
    every = judged(rows, images, metrics)
    boards = [(board, whole) for board in every.boards if set(board.aligned.tasks) <= tasks]
    some = rows[rows["task"].isin(tasks) & ~rows["board"].isin({board.aligned.board for board, _ in boards})]
    boards += [(board, False) for board in judged(some, images, metrics, every.priors).boards]
    both = [(board, of_board) for board, of_board in boards if set(labels) <= set(board.aligned.labels)]
    both = [(board, of_board) for board, of_board in both if asked.metric or board.directed]
    lines = [line for board, of_board in both for line in _lines(board, labels, asked.scope, of_board)]
    if not lines:
        why = " in four tasks or more" if asked.scope == NEW and both else ""
        raise InputError(f"no board has results of '{labels[0]}' and '{labels[1]}'{why}; run both on the same tasks")
    found = pd.DataFrame(lines, columns=[*COLUMNS, "same_order"]).sort_values(["board", "metric"], ignore_index=True)
    return _adjusted(found)


def _adjusted(found: pd.DataFrame) -> pd.DataFrame:
    """Holm's method over the rows that are no board's."""
    own = (found["family"] == LINES) & (found["verdict"] != NOT_COMPARABLE)
    adjusted = found["p_adjusted"].where(~own, holm(found["p"].where(own).to_numpy(float)))
    unsure = own & ~((adjusted < ALPHA) & found.pop("same_order").eq(True))
    return found.assign(p_adjusted=adjusted, verdict=found["verdict"].where(~unsure, UNDECIDED))


def _wanted(rows: pd.DataFrame, labels: tuple[str, str], asked: Asked) -> tuple[set[str], set[str]]:
    """The tasks and metrics that are asked for."""
    if labels[0] == labels[1]:
        raise InputError(f"'{labels[0]}' is compared with itself; name two explainers, with their options")
    for label in labels:
        if label not in set(rows["label"]):
            raise unknown("explainer with results", label, sorted(set(rows["label"])))
    tasks, metrics = set(rows["task"]), set(rows["metric"])
    if asked.metric is not None and asked.metric not in metrics:
        raise unknown("metric with results", asked.metric, sorted(metrics))
    wanted = tasks if asked.task is None else {name for name in tasks if matches(name, asked.task)}
    if not wanted:
        raise _without_results(str(asked.task), set(rows["board"]), tasks)
    return wanted, {asked.metric} if asked.metric else {name for name in metrics if "@" not in name}


def _without_results(task: str, boards: set[str], tasks: set[str]) -> InputError:
    """A misspelt pattern is answered with the nearest; one of other data with the boards that there are."""
    near = difflib.get_close_matches(task, sorted(boards | tasks), n=1, cutoff=MISSPELT)
    hint = f"did you mean '{near[0]}'?" if near else f"there are those of {', '.join(sorted(boards))}"
    return InputError(f"no results of task '{task}'; {hint}")


def _lines(board: Board, labels: tuple[str, str], scope: str, whole: bool) -> Iterator[dict[str, Any]]:
    """The row of a board; none where it has nothing to say in this scope."""
    places = np.array([[board.aligned.labels.index(label) for label in labels]])
    found = board.compared(places)
    estimate = found.these if scope == THESE else found.new
    if np.isnan(estimate.variance[0]):  # too few tasks, or none with two images on which both have a value
        return
    span = board.bounds[1] - board.bounds[0]
    low, high = np.clip(estimate.interval()[0], -span, span)
    said = _said_by(board, places) if whole and scope == THESE else None
    yield {
        "board": board.aligned.board, "metric": board.aligned.metric, "a": labels[0], "b": labels[1], "scope": scope,
        "difference": estimate.difference[0], "low": low, "high": high, "better": found.better[0],
        "images": int(found.images[0]), "of_images": int(found.of_images[0]), "tasks": int(found.tasks.sum()),
        "one_seed": bool(board.rows["one_seed"][places].any()),
        "higher_is_better": board.sign > 0 if board.directed else None,
        **(said or _of_line(board, places, estimate if scope == NEW else None)),
    }  # fmt: skip


def _said_by(board: Board, places: Int[np.ndarray, "1 2"]) -> dict[str, Any] | None:
    """What the board says of a pair; None for a pair that it does not compare."""
    found = board.verdicts
    at = np.flatnonzero((found.pairs == np.sort(places, axis=1)).all(1))
    if not len(at):
        return None
    better = int(found.better[at[0]]) * (1 if places[0, 0] < places[0, 1] else -1)
    verdict = {1: A_BETTER, -1: B_BETTER}.get(better, UNDECIDED)
    return {
        "verdict": verdict if found.compared.comparable[at[0]] else NOT_COMPARABLE, "family": BOARD,
        "p": found.tested.p[at[0]], "p_adjusted": found.adjusted[at[0]], "far_out": bool(found.tested.far_out[at[0]]),
    }  # fmt: skip


def _of_line(board: Board, places: Int[np.ndarray, "1 2"], new: Estimates | None) -> dict[str, Any]:
    """What the line says by itself: who is ahead, if the difference is sure; of new categories, by their estimate."""
    found = board.tested(places)
    p, direction, far = float(found.p[0]), found.direction[0], bool(found.far_out[0])
    if new is not None:
        p, direction, far = float(new.p[0]), np.sign(new.difference[0]), False
    verdict = "a ahead" if direction * board.sign > 0 else "b ahead"
    return {
        "verdict": verdict if found.compared.comparable[0] else NOT_COMPARABLE, "family": LINES, "p": p,
        "p_adjusted": np.nan, "far_out": far, "same_order": bool(board.same_order(places, np.array([direction]))[0]),
    }  # fmt: skip
