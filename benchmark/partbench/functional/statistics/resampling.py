"""Intervals by resampling, seeded so that a page is the same wherever it is made."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

DRAWS = 1000
LEVEL = 0.95


@lru_cache(maxsize=2)  # the metrics of a cell mostly have the same images; for many images an array is large
def resampling_weights(n: int, draws: int = DRAWS, seed: int = 0) -> Float[np.ndarray, "draws n"]:
    """Weights of n units in each bootstrap draw; rows sum to 1, so `weights @ values` are the resampled means.

    The array is shared by all who ask for it, and read-only.
    """
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws) / n
    weights.setflags(write=False)
    return weights


def interval(draws: Float[np.ndarray, "draws"], level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval of bootstrap draws, NaN draws left out; (NaN, NaN) if none is left."""
    draws = np.asarray(draws, dtype=float)
    draws = draws[~np.isnan(draws)]
    if not draws.size:
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap(values: Float[np.ndarray, "n"], draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of the mean of `values`, NaN left out (Efron 1979); (NaN, NaN) for fewer than two."""
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if values.size < 2:
        return float("nan"), float("nan")
    return interval(resampling_weights(len(values), draws, seed) @ values)
