"""Holm's adjustment of p values, which holds the family-wise error whatever the p values depend on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def holm(p: Float[np.ndarray, "n"], weights: Float[np.ndarray, "n"] | None = None) -> Float[np.ndarray, "n"]:
    """Adjusted p values, at most 1; NaN stays NaN and is not counted.

    Holm 1979, "A simple sequentially rejective multiple test procedure". The k-th smallest of n is n - k + 1 times as
    large, and no smaller than those before it. With weights (positive), p / weight is what is sorted, and multiplied
    with the sum of the weights that are left, as in Holm's weighted procedure: the family-wise error is held for any
    weights that are fixed beforehand.
    """
    found, known = np.full(len(p), np.nan), np.flatnonzero(~np.isnan(p))
    weight = np.ones(len(p)) if weights is None else np.asarray(weights, float)
    order = known[np.argsort(p[known] / weight[known], kind="stable")]
    left = np.cumsum(weight[order][::-1])[::-1]
    found[order] = np.minimum(np.maximum.accumulate(p[order] / weight[order] * left), 1)
    return found
