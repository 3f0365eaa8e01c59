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
    shares: Float[np.ndarray, "n k r"], counted: Bool[np.ndarray, "n k r"] | None = None
) -> Float[np.ndarray, "k"]:
    """Entropy of the mean over n images of the shares of each of k concepts.

    A concept's image whose shares are NaN is left out of its mean. Of region r the mean is over the images that
    `counted` marks; without it, over all images alike.
    """
    totals, seen = _summed(shares, counted)
    return entropy(_means(totals.sum(0), seen.sum(0)))


def entropies_left_out(
    shares: Float[np.ndarray, "n k r"], counted: Bool[np.ndarray, "n k r"] | None = None
) -> Float[np.ndarray, "n k"]:
    """`entropies_of_means` without each of the images."""
    totals, seen = _summed(shares, counted)
    whole, of_all = totals.sum(0), seen.sum(0)
    left = np.empty(shares.shape[:2])
    for i in range(len(shares)):
        rest = np.where(of_all > seen[i], np.maximum(whole - totals[i], 0.0), 0.0)  # no rounding where no image is left
        left[i] = entropy(_means(rest, of_all - seen[i]))
    return left


def _summed(
    shares: Float[np.ndarray, "n k r"], counted: Bool[np.ndarray, "n k r"] | None
) -> tuple[Float[np.ndarray, "n k r"], Float[np.ndarray, "n k r"]]:
    """What each image adds to the sums over images, and to the numbers of images that count."""
    known = ~np.isnan(shares)
    marked = known if counted is None else known & counted
    return np.where(marked, shares, 0.0), marked.astype(float)


def _means(totals: Float[np.ndarray, "k r"], seen: Float[np.ndarray, "k r"]) -> Float[np.ndarray, "k r"]:
    return np.divide(totals, seen, out=np.zeros_like(totals), where=seen > 0)
