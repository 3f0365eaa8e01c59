"""What each image says of a statistic of all images: values with the statistic as mean and its error as spread."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def pseudovalues(value: float, left_out: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """value + (n - 1) (mean of left_out - left_out): the jackknife's evidence of each image (Quenouille, Tukey 1958).

    `left_out[i]` is the statistic without image i. The evidence is centred on `value` rather than on the jackknife's
    bias-corrected estimate, so that its mean is the statistic itself. All are NaN where the removal of one image leaves
    no statistic (NaN): that image matters most, and the spread of the others would not show it.
    """
    left_out = np.asarray(left_out, dtype=float)
    if not len(left_out):
        return left_out
    return value + (len(left_out) - 1) * (left_out.mean() - left_out)
