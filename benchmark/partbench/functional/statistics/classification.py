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


def balanced_mean(right: Float[np.ndarray, "n"], side: Int[np.ndarray, "n"]) -> tuple[float, Float[np.ndarray, "n"]]:
    """The mean over sides of the mean of each side, and the same without each of the images.

    Unknown values (NaN) do not count and are NaN. NaN also where nothing is known of a side, or without the image.
    """
    known = np.isfinite(right)
    sides, at = np.unique(side, return_inverse=True)
    counts = np.bincount(at[known], minlength=len(sides))
    left_out = np.full(len(right), np.nan)
    if not len(sides) or not counts.all():
        return float("nan"), left_out
    means = np.bincount(at[known], right[known], minlength=len(sides)) / counts
    fall = np.divide(right - means[at], counts[at] - 1, out=np.full(len(right), np.nan), where=counts[at] > 1)
    left_out[known] = means.mean() - fall[known] / len(sides)
    return float(means.mean()), left_out


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


def average_precision(logits: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """Mean over positive images of the precision among all images whose logit is at least theirs; NaN without any.

    Logits are finite. Equal logits are cut together.
    """
    reached, right, shown, _ = _ranking(logits, positive)
    return float((right[shown] / reached[shown]).mean()) if shown.any() else float("nan")


def average_precisions_left_out(
    logits: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    """The average precision without each of the images; NaN where no positive image is left.

    Of an image that is left out, the ranks of those above it do not change, and those of all others fall by one.
    """
    reached, right, shown, order = _ranking(logits, positive)
    unchanged = np.where(shown, right / reached, 0.0)
    lower = np.divide(shown, reached - 1, out=np.zeros(len(order)), where=reached > 1)  # per positive that is counted
    above = np.searchsorted(-logits[order], -logits[order], side="left")  # images with a larger logit
    before = np.append(0.0, np.cumsum(unchanged))[above]
    below = [np.append(np.cumsum(terms[::-1])[::-1], 0.0)[above] - shown * terms for terms in (right * lower, lower)]
    count = shown.sum() - shown
    total = before + below[0] - shown * below[1]
    left = np.empty(len(order))
    left[order] = np.divide(total, count, out=np.full(len(order), np.nan), where=count > 0)
    return left


def _ranking(
    logits: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"], Bool[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Of the images by falling logit: how many have at least its logit, how many of these and whether it is positive.

    The last array is the order of the images.
    """
    order = np.argsort(-logits, kind="stable")
    ordered, shown = -logits[order], positive[order].astype(bool)
    reached = np.searchsorted(ordered, ordered, side="right")
    return reached, np.cumsum(shown)[reached - 1], shown, order
