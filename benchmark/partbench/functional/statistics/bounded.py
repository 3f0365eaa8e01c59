"""Intervals of a mean that stay within the bounds of its metric."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit, ndtri

from partbench.functional.statistics.all_pairs import LEVEL, Estimates

Bounds = tuple[float, float]


def bounded_interval(
    value: Float[np.ndarray, "n"], found: Estimates, bounds: Bounds, level: float = LEVEL
) -> Float[np.ndarray, "n 2"]:
    """Low and high of values whose variance and degrees `found` gives; NaN where these are NaN.

    They are around the value, which may be of more images than `found`: of those, too, that one seed lacks. Without a
    value they are around the mean of `found`.

    Of a metric with two finite bounds: Student's t interval of the logit of the value's place between them, by the
    delta method. Without variance all images agree, and nothing tells how others would vary: Wilson's upper limit
    p = z^2 / (n + z^2) of a share of which none was seen on n images stands for the share of images that may differ by
    as much as the bounds allow. Of a metric with an infinite bound: Student's t interval, cut off at the bound; NaN
    without variance.
    """
    low, high = bounds
    plain = _around(np.where(np.isnan(value), found.difference, value), found.interval(level))
    if not (np.isfinite(low) and np.isfinite(high)):
        return np.where(found.variance[:, None] > 0, np.clip(plain, low, high), np.nan)
    share = (value - low) / (high - low)
    inside = (share > 0) & (share < 1)
    slope = np.where(inside, share * (1 - share), 1) * (high - low)
    half = (plain[:, 1] - plain[:, 0]) / 2 / slope
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = expit(logit(share)[:, None] + np.stack([-half, half], axis=1))
    ends = np.where(inside[:, None], low + (high - low) * ends, np.clip(plain, low, high))
    z2 = ndtri((1 + level) / 2) ** 2
    unseen = z2 / (found.clusters + z2)
    wilson = value[:, None] + unseen[:, None] * (np.array([low, high]) - value[:, None])
    return np.where((found.variance == 0)[:, None], wilson, ends)


def _around(value: Float[np.ndarray, "n"], ends: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Intervals of the same width around other values."""
    half = (ends[:, 1] - ends[:, 0]) / 2
    return np.stack([value - half, value + half], axis=1)
