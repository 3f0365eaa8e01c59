"""The evidence of each image for a statistic of all images: values whose mean is the statistic."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def pseudovalues(value: float, left_out: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """value + (n - 1) (mean of left_out - left_out): the jackknife's evidence of each image (Quenouille, Tukey 1958).

    `left_out[i]` is the statistic without image i. The evidence is centred on `value` rather than on the jackknife's
    bias-corrected estimate, so that its mean is the statistic itself. The standard deviation of the evidence over
    sqrt(n) is the jackknife's standard error. An image whose removal leaves no statistic (NaN) has no evidence, and
    counts in n.
    """
    left_out = np.asarray(left_out, dtype=float)
    known = ~np.isnan(left_out)
    evidence = np.full(len(left_out), np.nan)
    if known.any():
        evidence[known] = value + (len(left_out) - 1) * (left_out[known].mean() - left_out[known])
    return evidence


def pseudovalues_of_known(value: float, left_out: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """`pseudovalues` of the images whose `left_out` is known, n being their number; NaN for all others."""
    evidence, known = np.full(len(left_out), np.nan), ~np.isnan(left_out)
    evidence[known] = pseudovalues(value, left_out[known])
    return evidence
