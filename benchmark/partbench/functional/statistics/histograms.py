"""Entropy of histograms, and of means of histograms."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def entropy(histogram: Float[np.ndarray, "*u r"]) -> Float[np.ndarray, "*u"]:
    """Entropy in nats of a histogram scaled to sum 1; NaN for an empty one."""
    total = histogram.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = histogram / total
        return -np.where(share == 0, 0.0, share * np.log(share)).sum(-1) + 0.0


def entropy_fraction(sizes: Float[np.ndarray, "*u k"]) -> Float[np.ndarray, "*u"]:
    """Entropy of a histogram as a share of the most that its number of bins allows, ln k; NaN for a single bin."""
    return entropy(sizes) / (np.log(sizes.shape[-1]) or np.nan)


def entropies_of_means(
    shares: Float[np.ndarray, "n k r"],
    weights: Float[np.ndarray, "d n"],
    counted: Bool[np.ndarray, "n k r"] | None = None,
) -> Float[np.ndarray, "d k"]:
    """Entropy of the mean over n images of the shares of each of k concepts, the images weighted in d ways.

    A concept's image whose shares are NaN is left out of its mean. Of region r the mean is over the images that
    `counted` marks; without it, over all images alike.
    """
    known = ~np.isnan(shares) if counted is None else ~np.isnan(shares) & counted
    total = np.einsum("dn,nkr->dkr", weights, np.where(known, shares, 0.0), optimize=True)
    if counted is None:
        return entropy(total)
    seen = np.einsum("dn,nkr->dkr", weights, known.astype(float), optimize=True)
    return entropy(np.divide(total, seen, out=np.zeros_like(total), where=seen > 0))
