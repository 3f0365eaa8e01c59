"""Images far out: a single absurd value can inflate the variance of a difference until nothing is significant."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from partbench.functional.statistics.all_pairs import Compared, Pairings, blocks, compare_all
from partbench.functional.statistics.stack import Stack

FENCE = 3  # interquartile ranges beyond the quartiles: Tukey's "far out"
MOST = 0.5  # share of the variance of a mean that images far out may make up
FEW = 0.1  # share of the images of a task that may lie far out; if more do, they are what the metric measures


def fenced(differences: Float[np.ndarray, "p n"]) -> Float[np.ndarray, "p n"]:
    """Each row with what lies far out moved to the fence: 3 interquartile ranges below or above the quartiles.

    Tukey 1977, "Exploratory Data Analysis", section 2D. Unchanged where more than a tenth lies far out, and where the
    quartiles are equal: nothing tells there what is far. NaN stays NaN. Quartiles are values of the row.
    """
    count = (~np.isnan(differences)).sum(1)
    ordered = np.sort(differences, axis=1)  # NaN last
    places = [np.round(share * np.maximum(count - 1, 0)).astype(int) for share in (0.25, 0.75)]
    first, third = (np.take_along_axis(ordered, at[:, None], axis=1) for at in places)
    reach = np.where(third > first, FENCE * (third - first), np.inf)
    moved = np.clip(differences, first - reach, third + reach)
    far = ((moved != differences) & ~np.isnan(differences)).sum(1)
    return np.where((far <= FEW * count)[:, None], moved, differences)


def dominated_by_far_out(stack: Stack, pairs: Int[np.ndarray, "p 2"]) -> Bool[np.ndarray, "p"]:
    """Whether images far out make up more than half of the variance of a pair's mean difference."""
    found = [np.zeros(0, bool)]
    for some in blocks(pairs, max(stack.values.shape[2], 1)):
        raw, moved = (_squares(stack, of(stack, some)) for of in (_differences, _fenced_by_task))
        found.append(moved < (1 - MOST) * raw)
    return np.concatenate(found)


def without_far_out(stack: Stack, pairs: Int[np.ndarray, "p 2"], pairings: Pairings) -> Compared:
    """Pairs compared as by `compare_all`, on differences that are `fenced` within each task.

    An image far out has the difference of the fence, with every seed.
    """
    raw, moved = _differences(stack, pairs), _fenced_by_task(stack, pairs)
    far = (raw != moved) & ~np.isnan(raw)
    rows = pairs.ravel()
    values = stack.values[rows].copy()
    sides = np.stack([moved, np.zeros_like(moved)], axis=1).reshape(len(rows), 1, -1)
    replaced = np.repeat(far, 2, axis=0)[:, None] & ~np.isnan(values)
    values = np.where(replaced, sides, values)
    apart = Stack(values, stack.listed[rows], stack.seeds[rows], stack.task, stack.image)
    return compare_all(apart, np.arange(len(rows)).reshape(-1, 2), pairings.of(rows))


def _differences(stack: Stack, pairs: Int[np.ndarray, "p 2"]) -> Float[np.ndarray, "p n"]:
    """Of the means over seeds; NaN on images of which one has no value."""
    a, b = pairs.T
    return np.where(stack.known[a] & stack.known[b], stack.means[a] - stack.means[b], np.nan)


def _fenced_by_task(stack: Stack, pairs: Int[np.ndarray, "p 2"]) -> Float[np.ndarray, "p n"]:
    moved = _differences(stack, pairs)
    for task in range(stack.seeds.shape[1]):
        columns = np.flatnonzero(stack.task == task)
        if len(columns):
            moved[:, columns] = fenced(moved[:, columns])
    return moved


def _squares(stack: Stack, differences: Float[np.ndarray, "p n"]) -> Float[np.ndarray, "p"]:
    """V_img but for a constant factor and for images of several tasks: sum over tasks of squared deviations / n_t^2."""
    total = np.zeros(len(differences))
    for task in range(stack.seeds.shape[1]):
        of_task = differences[:, stack.task == task]
        count = (~np.isnan(of_task)).sum(1)
        mean = np.nansum(of_task, axis=1) / np.maximum(count, 1)
        total += np.nansum((of_task - mean[:, None]) ** 2, axis=1) / np.maximum(count, 1) ** 2
    return total
