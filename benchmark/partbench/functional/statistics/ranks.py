"""Whether two rows of numbers rank alike."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

LEAST_RANKED = 3  # two can only be in the right order or in the wrong one


def rank_agreement(
    found: Float[np.ndarray, "n p"], truth: Float[np.ndarray, "n p"], used: Bool[np.ndarray, "n p"]
) -> Float[np.ndarray, "n"]:
    """Spearman's correlation over the columns used in each row, in [-1, 1]; 0 where `found` is constant.

    NaN where fewer than three columns are used, or the truth is constant.
    """
    from scipy.stats import rankdata  # half a second, which only those who rank should wait

    values = np.full(len(found), np.nan)
    for row, columns in enumerate(used):
        ranks = [rankdata(of[row, columns]) - (columns.sum() + 1) / 2 for of in (found, truth)]
        lengths = [np.linalg.norm(r) for r in ranks]
        if columns.sum() >= LEAST_RANKED and lengths[1] > 0:
            values[row] = ranks[0] @ ranks[1] / (lengths[0] * lengths[1]) if lengths[0] > 0 else 0.0
    return values
