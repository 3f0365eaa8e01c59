"""Means of what has a value, and ratios of weighted means."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def mean_of_known(values: Float[np.ndarray, "*d n"]) -> Float[np.ndarray, "*d"]:
    """The mean over the last axis of the values that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    count = known.sum(-1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(-1) / np.maximum(count, 1), np.nan)


def relative_errors(
    errors: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "n p"]]:
    """E[error_p] / E[y], and the same without each of the images; NaN where E[y] is not positive."""
    scale, left = y.sum(), y.sum() - y
    left_out = (errors.sum(0) - errors) / np.where(left > 0, left, np.nan)[:, None]
    return errors.sum(0) / (scale if scale > 0 else np.nan), left_out


def relative_deviation(
    predicted: Float[np.ndarray, "n"], explained: Float[np.ndarray, "n"]
) -> tuple[float, Float[np.ndarray, "n"]]:
    """Mean |explained - predicted| over the range of `explained`, and the same without each of the images.

    An image of which one is NaN does not count, and is NaN. NaN also for a range of 0.
    """
    deviations = np.abs(explained - predicted)
    known = np.flatnonzero(~np.isnan(deviations))
    left_out = np.full(len(deviations), np.nan)
    errors, values = deviations[known], explained[known]
    if len(known) > 1:
        means = (errors.sum() - errors) / (len(known) - 1)
        ranges = _ranges_left_out(values)
        left_out[known] = np.divide(means, ranges, out=np.full(len(known), np.nan), where=ranges > 0)
    span = np.ptp(values) if len(known) else 0.0
    return float(errors.mean() / span) if span > 0 else float("nan"), left_out


def _ranges_left_out(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """The range of at least two values without each of them."""
    order = np.argsort(values)
    lowest, highest = np.full(len(values), values[order[0]]), np.full(len(values), values[order[-1]])
    lowest[order[0]], highest[order[-1]] = values[order[1]], values[order[-2]]
    return highest - lowest
