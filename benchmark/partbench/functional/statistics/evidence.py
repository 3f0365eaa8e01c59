"""The evidence of each image for a statistic of all images: values whose mean is the statistic."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def pseudovalues(value: float, left_out: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """value + (n - 1) (mean of left_out - left_out): the jackknife's evidence of each image (Quenouille, Tukey 1958).

    `left_out[i]` is the statistic without image i. The evidence is centred on `value` rather than on the jackknife's
    bias-corrected estimate, so that its mean is the statistic itself. The standard deviation of the evidence over
    sqrt(n) is the jackknife's standard error. All are NaN where the removal of one image leaves no statistic (NaN):
    that image matters most, and the spread of the others would not show it.
    """
    left_out = np.asarray(left_out, dtype=float)
    if not len(left_out):
        return left_out
    return value + (len(left_out) - 1) * (left_out.mean() - left_out)


def pseudovalues_of_known(
    value: float, left_out: Float[np.ndarray, "n"], known: Bool[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    """`pseudovalues` of the images that have a value, n being their number; NaN for all others."""
    evidence = np.full(len(left_out), np.nan)
    evidence[known] = pseudovalues(value, left_out[known])
    return evidence
