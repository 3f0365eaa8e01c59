"""Ratios of two explainers' means, with the interval that the evidence of images and seeds gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from partbench.functional.statistics.all_pairs import Pairings, compare_all
from partbench.functional.statistics.paired import NOTHING_SHARED, PAIR, Evidence, Pairing, as_stack, compare
from partbench.functional.statistics.stack import Stack

OfTasks = Mapping[str, Evidence]


class Ratio(NamedTuple):
    """A ratio and its 95 % interval."""

    value: float
    low: float
    high: float


def ratios_of_means(
    stack: Stack, pairs: Int[np.ndarray, "p 2"], pairings: Pairings, tasks: Bool[np.ndarray, "p t"]
) -> Float[np.ndarray, "p 3"]:
    """Mean of A over mean of B of each pair, each over these tasks, and its 95 % interval by the delta method.

    The ratio r makes mean(A) - r mean(B) = 0; the interval is that of this difference, see `compare_all`, over mean(B).
    NaN where the mean of B is not above 0, the interval also where no task has two images with values of both.
    """
    with np.errstate(invalid="ignore"):
        a, b = np.where(tasks, stack.task_means[pairs.T], 0).sum(2) / tasks.sum(1)
    scale = np.where(b > 0, b, np.nan)
    factors, rows = np.stack([1 / scale, a / scale**2], axis=1).ravel(), pairs.ravel()
    scaled = stack.values[rows] * factors[:, None, None]
    apart = Stack(scaled, stack.listed[rows], stack.seeds[rows], stack.task, stack.image)
    low, high = compare_all(apart, np.arange(len(rows)).reshape(-1, 2), pairings.of(rows)).these.interval().T
    half = (high - low) / 2
    return np.stack([a / scale, a / scale - half, a / scale + half], axis=1)


def ratio_of_means(a: OfTasks, b: OfTasks, pairing: Pairing | None = None) -> Ratio:
    """`ratios_of_means` of a single pair, over the tasks that both have.

    Raises ValueError as `compare` does, and for a mean of B that is not above 0.
    """
    stack, pairings = as_stack(a, b, pairing)
    value, low, high = ratios_of_means(stack, PAIR, pairings, np.all(stack.seeds > 0, axis=0)[None])[0].tolist()
    if math.isnan(value):
        raise ValueError("the mean of the other explainer is not above 0: there is no ratio to it")
    if math.isnan(low):
        raise ValueError(NOTHING_SHARED)
    return Ratio(value, low, high)


def share_of_gain(
    a: tuple[OfTasks, OfTasks], b: tuple[OfTasks, OfTasks], pairing: Pairing | None = None
) -> Ratio | None:
    """How much of what A gains over B in one metric (first, lower is better) it gains in another (second, higher is).

    The second gain is in the units of the first, such as part following beside location instability. Interval by the
    delta method, as in `ratios_of_means`. None where A gains nothing in the first metric.
    """
    tasks = sorted(set.intersection(*(set(side) for side in (*a, *b))))
    gain = mean(b[0], tasks) - mean(a[0], tasks)
    if not gain > 0:
        return None
    share = (mean(a[1], tasks) - mean(b[1], tasks)) / gain
    mine, theirs = (plus(times(side[1], 1 / gain), times(side[0], share / gain)) for side in (a, b))
    return _around(share, mine, theirs, pairing)


def mean(found: OfTasks, tasks: Sequence[str]) -> float:
    """The mean over tasks of the mean over seeds and images that have a value."""
    return float(np.mean([np.nanmean(found[task].values) for task in tasks]))


def times(found: OfTasks, factor: float) -> dict[str, Evidence]:
    """Evidence of a multiple of the statistic."""
    return {task: Evidence(side.images, side.values * factor) for task, side in found.items()}


def plus(one: OfTasks, other: OfTasks) -> dict[str, Evidence]:
    """Evidence of a sum of two statistics, seed by seed, of the tasks that both have."""
    shared = [task for task in one if task in other]
    return {
        task: Evidence(one[task].images, one[task].values + other[task].at(one[task].images)) for task in shared
    }  # fmt: skip


def _around(value: float, a: OfTasks, b: OfTasks, pairing: Pairing | None) -> Ratio:
    low, high = compare(a, b, pairing).these.interval()
    half = (high - low) / 2
    return Ratio(value, value - half, value + half)
