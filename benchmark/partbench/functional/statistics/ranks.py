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
    ranks = [_centred_ranks(of, used) for of in (found, truth)]
    lengths = [np.sqrt(np.where(used, of**2, 0).sum(1)) for of in ranks]
    product = np.where(used, ranks[0] * ranks[1], 0).sum(1)
    both = lengths[0] * lengths[1]
    agreement = np.divide(product, both, out=np.zeros(len(found)), where=both > 0)
    return np.where((used.sum(1) >= LEAST_RANKED) & (lengths[1] > 0), agreement, np.nan)


def _centred_ranks(values: Float[np.ndarray, "n p"], used: Bool[np.ndarray, "n p"]) -> Float[np.ndarray, "n p"]:
    """Ranks within the columns used of each row, ties shared, less their mean; NaN elsewhere."""
    import pandas as pd  # which loading this metric should not wait for

    ranks = pd.DataFrame(np.where(used, values, np.nan)).rank(axis=1).to_numpy()
    return ranks - (used.sum(1, keepdims=True) + 1) / 2
