"""How often logits tell images of a category from others, and where best to cut them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


def agreement(
    logits: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"], threshold: float | None = None
) -> Float[np.ndarray, "n"]:
    """1 where the logit is on its image's side of a threshold, else 0; NaN for a logit that is not finite.

    Without a threshold, it is the best one for these logits.
    """
    logits = logits.astype(float)  # a threshold next to a float32 logit would be rounded to it
    known = np.isfinite(logits)
    values = np.full(len(logits), np.nan)
    if known.any():
        cut = best_threshold(logits[known], positive[known]) if threshold is None else threshold
        values[known] = (logits[known] > cut) == positive[known]
    return values


def hits(logits: Float[np.ndarray, "n k"], category: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """1 where the largest logit is that of the category, else 0; NaN where a logit is not finite."""
    return np.where(np.isfinite(logits).all(1), (logits.argmax(1) == category).astype(float), np.nan)


def balanced(right: Float[np.ndarray, "n"], side: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Values weighted so that their mean is the mean over sides of the mean of each side; NaN for an unknown value.

    All are NaN where nothing is known of a side.
    """
    known = np.isfinite(right)
    sides, at = np.unique(side, return_inverse=True)
    counts = np.bincount(at[known], minlength=len(sides))
    if not counts.all():
        return np.full(len(right), np.nan)
    return right * known.sum() / (len(sides) * counts[at])


def best_threshold(logits: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """The threshold tau for which `logits > tau` agrees most often with `positive`; of equals the nearest to 0.

    `logits` are finite and at least one. Compare them in double precision: tau may be the double next to one of them.
    """
    logits = np.asarray(logits, dtype=float)
    order = np.argsort(logits)
    ordered, shown = logits[order], positive[order]
    # cut i calls the i smallest logits negative and the others positive
    right = np.concatenate([[0], np.cumsum(~shown)]) + shown.sum() - np.concatenate([[0], np.cumsum(shown)])
    below, above = np.concatenate([[-np.inf], ordered]), np.concatenate([ordered, [np.inf]])
    right = np.where(below < above, right, -1)  # equal logits cannot be parted
    thresholds = np.clip(0.0, below, np.nextafter(above, -np.inf))
    best = thresholds[right == right.max()]
    return float(best[np.abs(best).argmin()])


def one_against_rest(
    logits: Float[np.ndarray, "n c"], target: int, positive: Bool[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    """1 where logit `target` is the largest on a positive image and is not on another, else 0; NaN for a NaN.

    A single logit is the largest where it is above 0.
    """
    if logits.shape[1] == 1:
        return agreement(logits[:, 0], positive, 0.0)
    return np.where(np.isfinite(logits).all(1), (logits.argmax(1) == target) == positive, np.nan)


def replace_logit(
    logits: Float[np.ndarray, "n c"], target: int, predicted: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n c"]:
    """The logits with logit `target` replaced by a prediction of it."""
    others = logits.copy()
    others[:, target] = predicted
    return others


def class_unchanged(
    logits: Float[np.ndarray, "n c"], target: int, predicted: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    """1 where the largest logit stays the same after logit `target` is replaced, else 0; NaN for a NaN."""
    same = replace_logit(logits, target, predicted).argmax(1) == logits.argmax(1)
    return np.where(np.isnan(predicted), np.nan, same)
