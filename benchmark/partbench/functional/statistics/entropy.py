"""Entropy of histograms."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def entropy(histogram: Float[np.ndarray, "*u r"]) -> Float[np.ndarray, "*u"]:
    """Entropy in nats of a histogram scaled to sum 1; NaN for an empty one."""
    total = histogram.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = histogram / total
        return -np.where(share == 0, 0.0, share * np.log(share)).sum(-1) + 0.0
