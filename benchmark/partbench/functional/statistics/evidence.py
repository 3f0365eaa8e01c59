"""What each image says of a statistic of all images: values with the statistic as mean and its error as spread."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def pseudovalues(value: float, left_out: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """value + (n - 1) (mean of left_out - left_out): the jackknife's evidence of each image (Quenouille, Tukey 1958).

    `left_out[i]` is the statistic without image i. The evidence is centred on `value` rather than on the jackknife's
    bias-corrected estimate, so that its mean is the statistic itself. An image whose removal leaves no statistic (NaN)
    has no evidence.
    """
    left_out = np.asarray(left_out, dtype=float)
    known = ~np.isnan(left_out)
    evidence = np.full(len(left_out), np.nan)
    if known.any():
        evidence[known] = value + (len(left_out) - 1) * (left_out[known].mean() - left_out[known])
    return evidence
