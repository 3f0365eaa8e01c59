"""Holm's adjustment of p values, which holds the family-wise error whatever the p values depend on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def holm(p: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Adjusted p values, at most 1; NaN stays NaN and is not counted.

    Holm 1979, "A simple sequentially rejective multiple test procedure". The k-th smallest of n is n - k + 1 times as
    large, and no smaller than those before it.
    """
    found, known = np.full(len(p), np.nan), np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    found[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return found
