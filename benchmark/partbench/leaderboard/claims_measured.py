"""What results say of claims on a board: the number beside the published one, and how sure its direction is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from partbench.functional.statistics import Estimate, Pairings, Stack, compare_all, ratios_of_means
from partbench.leaderboard.claims_on_boards import ClaimOnBoard
from partbench.leaderboard.claims_stated import DIFFERENCE, RATIO, PublishedClaim
from partbench.leaderboard.verdicts import Board


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


def measured(board: Board, asked: Sequence[ClaimOnBoard], only: Sequence[str] = ()) -> list[MeasuredClaim | None]:
    """Claims on the tasks that both explainers of each have, image by image; None where there is no such task.

    Explainers are of the board; without another one, the explainer's own value is compared with the bound. With `only`,
    on those of these tasks.
    """
    stack, pairings = board.aligned.stack.with_zero(), board.pairings.with_zero()
    if only:
        stack = stack.on(np.flatnonzero(np.isin(board.aligned.tasks, only)))
    place = {label: at for at, label in enumerate([*board.aligned.labels, ""])}
    pairs = np.array([(place[one.label], place[one.other]) for one in asked])
    found, bounds = compare_all(stack, pairs, pairings), np.array([_bounds(board, one.other) for one in asked])
    away = replace(found.these, difference=found.these.difference - [one.claim.bound for one in asked])
    directions = np.sign(away.difference) * [one.claim.sign for one in asked]
    shown = np.column_stack([found.these.difference, np.clip(found.these.interval(), bounds[:, :1], bounds[:, 1:])])
    ratios = _ratios(asked, stack, pairs, pairings, found.tasks)
    made: list[MeasuredClaim | None] = []
    for at, one in enumerate(asked):
        if np.isnan(away.difference[at]):
            made.append(None)
            continue
        unit = DIFFERENCE if one.claim.unit == RATIO and np.isnan(ratios[at, 0]) else one.claim.unit
        value, low, high = (ratios if unit == RATIO else shown)[at].tolist()
        tasks = tuple(itertools.compress(board.aligned.tasks, found.tasks[at]))
        numbers = unit, value, low, high, float(away.p[at]), int(directions[at])
        known = bool(found.comparable[at]), bool(found.one_seed[at]), tasks, int(found.these.clusters[at])
        made.append(MeasuredClaim(*numbers, *known))
    return made


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


def _bounds(board: Board, other: str) -> tuple[float, float]:
    """Of a difference, or of a value."""
    low, high = board.bounds
    return (low - high, high - low) if other else (low, high)


def _ratios(
    asked: Sequence[ClaimOnBoard],
    stack: Stack,
    pairs: Int[np.ndarray, "p 2"],
    pairings: Pairings,
    tasks: Bool[np.ndarray, "p t"],
) -> Float[np.ndarray, "p 3"]:
    """The ratios that are claimed, with their intervals, above 0 where the ratio is; NaN for other claims."""
    found, wanted = np.full((len(pairs), 3), np.nan), np.array([one.claim.unit == RATIO for one in asked])
    if wanted.any():
        found[wanted] = ratios_of_means(stack, pairs[wanted], pairings, tasks[wanted])
        found[:, 1] = np.where(found[:, 0] >= 0, np.maximum(found[:, 1], 0), found[:, 1])
    return found
