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
    errors: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n"], weights: Float[np.ndarray, "d n"]
) -> Float[np.ndarray, "d p"]:
    """E[error_p] / E[y] with the images weighted in d ways; NaN where E[y] is not positive."""
    scale = weights @ y
    return weights @ errors / np.where(scale > 0, scale, np.nan)[:, None]


def relative_deviations(predicted: Float[np.ndarray, "n"], explained: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """|explained - predicted| as a share of the range of `explained`, NaN left out of it; NaN for a range of 0."""
    span = np.fmax.reduce(explained, initial=-np.inf) - np.fmin.reduce(explained, initial=np.inf)
    deviations = np.abs(explained - predicted)
    return deviations / span if span > 0 else np.full_like(deviations, np.nan)
