"""Two explainers compared image by image, from results."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from partbench.errors import InputError
from partbench.functional.statistics import Comparison, Pairing, compare
from partbench.leaderboard.aligned import aligned
from partbench.leaderboard.current import current


def compare_explainers(
    frame: pd.DataFrame, board: str, metric: str, explainer: str, other: str, pairing: Pairing | None = None
) -> Comparison:
    """`explainer` against `other` on the tasks of a board that both have, by the evidence of each image.

    `frame` is what `load_results(folder, aggregates_only=False)` gives. Boards are named as on the leaderboards
    (`fauna/multi:*`), explainers by their labels (`srae`, `srae (profile=released)`). Without `pairing`, neither is
    deterministic. The metric's direction is always that of its rows. Raises InputError for a board, metric or explainer
    that `frame` does not hold, where a cell of the two has no evidence, where no task has two images on which both have
    a value, and where explainers of one network have different seeds.
    """
    rows = current(frame)
    rows = rows[rows["scored"]]
    for column, wanted in (("board", [board]), ("metric", [metric]), ("label", [explainer, other])):
        for name in wanted:
            if name not in set(rows[column]):
                raise _absent(column, name, rows[column])
        rows = rows[rows[column].isin(wanted)]
    sides = {label: one.evidence(label) for one in aligned(rows, frame) for label in one.labels}
    for label in (explainer, other):
        if label not in sides:
            raise InputError(f"no evidence per image of '{label}' for {metric} on {board}; load the results with "
                             "aggregates_only=False, or run the explainer anew")  # fmt: skip
    higher = bool(rows["higher_is_better"].dropna().eq(True).all())
    known = replace(pairing or Pairing(), higher_is_better=higher)
    try:
        if known.same_network:
            _expect_same_seeds(rows, explainer, other)
        return compare(sides[explainer], sides[other], known)
    except ValueError as error:
        raise InputError(f"{explainer} and {other} cannot be compared on {board}: {error}") from error


def _absent(column: str, name: str, present: pd.Series) -> InputError:
    noun = {"label": "explainer"}.get(column, column)
    return InputError(
        f"no results of {noun} '{name}'; there are those of {', '.join(sorted(set(present.astype(str))))}"
    )


def _expect_same_seeds(rows: pd.DataFrame, explainer: str, other: str) -> None:
    """Raise ValueError for a task whose cells of the two explainers cannot be paired by seed."""
    for task, of_task in rows.groupby("task", sort=True):
        mine, theirs = (sorted(of_task["seed"][of_task["label"] == label]) for label in (explainer, other))
        if mine and theirs and mine != theirs:
            raise ValueError(f"{task} has seeds {mine} and {theirs}, expected the same, as both rest on one network")
