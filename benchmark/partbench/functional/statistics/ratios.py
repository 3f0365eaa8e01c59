"""Ratios of two explainers' means, with the interval that the evidence of images and seeds gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from partbench.functional.statistics.paired import Evidence, Pairing, compare

OfTasks = Mapping[str, Evidence]


class Ratio(NamedTuple):
    """A ratio and its 95 % interval."""

    value: float
    low: float
    high: float


def ratio_of_means(a: OfTasks, b: OfTasks, pairing: Pairing | None = None) -> Ratio:
    """Mean of A over mean of B, each over the tasks that both have, with an interval by the delta method.

    The ratio r makes mean(A) - r mean(B) = 0; the interval is that of this difference, see `compare`, over mean(B).
    Raises ValueError as `compare` does, and for a mean of B of 0.
    """
    tasks = sorted(a.keys() & b.keys())
    scale = mean(b, tasks)
    if not scale:
        raise ValueError("the mean of the other explainer is 0: there is no ratio to it")
    value = mean(a, tasks) / scale
    return _around(value, times(a, 1 / scale), times(b, value / scale), pairing)


def share_of_gain(
    a: tuple[OfTasks, OfTasks], b: tuple[OfTasks, OfTasks], pairing: Pairing | None = None
) -> Ratio | None:
    """How much of what A gains over B in one metric (first, lower is better) it gains in another (second, higher is).

    The second gain is in the units of the first, such as part following beside location instability. Interval by the
    delta method, as in `ratio_of_means`. None where A gains nothing in the first metric.
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
