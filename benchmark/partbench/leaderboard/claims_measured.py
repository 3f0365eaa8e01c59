"""What results say of one claim on one board: the number beside the published one, and how sure its direction is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from partbench.functional.statistics import Comparison, Estimate, Evidence, Pairing, compare, ratio_of_means
from partbench.leaderboard.claims_stated import DIFFERENCE, RATIO, PublishedClaim
from partbench.leaderboard.verdicts import Board

OfTasks = Mapping[str, Evidence]


@dataclass(frozen=True)
class MeasuredClaim:
    """A measured claim.

    unit: "ratio", "difference" or "value"; "difference" also for ratios where the other's mean is not above 0.
    value, low, high: the number in this unit with its 95 % interval. p: two-sided, of a difference (or value) equal to
    the claim's bound. direction: 1 if the difference is on the claimed side of the bound, -1 on the other, 0 at it.
    comparable: whether both have a value on at least 90 % of the images. one_seed: it holds for these trainings alone.
    images: how many different images have a value of both; one that several tasks show counts once.
    """

    unit: str
    value: float
    low: float
    high: float
    p: float
    direction: int
    comparable: bool
    one_seed: bool
    tasks: tuple[str, ...]
    images: int


def measured(
    claim: PublishedClaim, board: Board, label: str, other: str, only: tuple[str, ...] = ()
) -> MeasuredClaim | None:
    """A claim on the tasks that both explainers have, image by image; None if there is no such task.

    `label` and `other` are of the board; without `other`, the explainer's own value is compared with the bound. With
    `only`, on those of these tasks.
    """
    mine = board.evidence(label)
    if other:
        theirs, pairing = board.evidence(other), board.pairing(label, other)
    else:
        theirs, pairing = {task: _nothing(side) for task, side in mine.items()}, _alone(board, label)
    shared = sorted(task for task in mine.keys() & theirs.keys() if not only or task in only)
    sides = {task: mine[task] for task in shared}, {task: theirs[task] for task in shared}
    try:
        found = compare(*sides, pairing)
    except ValueError:  # no task has two images on which both have a value
        return None
    sides = {task: sides[0][task] for task in found.tasks}, {task: sides[1][task] for task in found.tasks}
    return _as_claimed(claim, found, _shown(claim, found, sides, pairing, _bounds(board, other)), _images(sides))


def reported(claim: PublishedClaim, row: pd.Series, tasks: tuple[str, ...]) -> MeasuredClaim | None:
    """A claim on a number that the explainer reports of itself: its mean over seeds and tasks, from a row of `means`.

    None without a value, or without two seeds of a task.
    """
    if pd.isna(row["value"]) or pd.isna(row["reported_variance"]):
        return None
    estimate = Estimate(float(row["value"]), float(row["reported_variance"]), float(row["reported_degrees"]))
    low, high = np.clip(estimate.interval(), row["low_bound"], row["high_bound"])
    away = replace(estimate, difference=estimate.difference - claim.bound)
    direction = int(np.sign(away.difference)) * claim.sign
    shown = (estimate.difference, float(low), float(high))
    return MeasuredClaim(claim.unit, *shown, away.p, direction, True, False, tasks, int(row["images"]))


def _nothing(side: Evidence) -> Evidence:
    return Evidence(side.images, np.zeros((1, len(side.images))))


def _alone(board: Board, label: str) -> Pairing:
    fixed = board.pairings.deterministic[board.aligned.labels.index(label)]
    return Pairing((bool(fixed), True), False, board.pairings.higher_is_better, board.pairings.prior)


def _bounds(board: Board, other: str) -> tuple[float, float]:
    """Of a difference, or of a value."""
    low, high = board.bounds
    return (low - high, high - low) if other else (low, high)


Sides = tuple[OfTasks, OfTasks]
Shown = tuple[str, float, float, float]


def _shown(
    claim: PublishedClaim, found: Comparison, sides: Sides, pairing: Pairing, bounds: tuple[float, float]
) -> Shown:
    """The unit, and the number in it with its interval."""
    if claim.unit == RATIO:
        theirs = float(np.mean([np.nanmean(side.values) for side in sides[1].values()]))
        if theirs > 0:
            value, low, high = ratio_of_means(*sides, pairing)
            return RATIO, value, max(low, 0.0) if value >= 0 else low, high
    low, high = np.clip(found.these.interval(), *bounds)
    unit = DIFFERENCE if claim.unit == RATIO else claim.unit
    return unit, found.these.difference, float(low), float(high)


def _images(sides: Sides) -> int:
    """How many different images have a value of both in all seeds."""
    found: set[str | int] = set()
    for task, mine in sides[0].items():
        values = np.vstack([mine.values, sides[1][task].at(mine.images)])
        found.update(itertools.compress(mine.images, ~np.isnan(values).any(0)))
    return len(found)


def _as_claimed(claim: PublishedClaim, found: Comparison, shown: Shown, images: int) -> MeasuredClaim:
    away = replace(found.these, difference=found.these.difference - claim.bound)
    direction = int(np.sign(away.difference)) * claim.sign
    return MeasuredClaim(*shown, away.p, direction, found.comparable, found.one_seed, found.tasks, images)
