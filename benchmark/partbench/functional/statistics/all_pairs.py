"""Many pairs of explainers compared at once: what `paired.compare` does for one pair, in arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import stdtr, stdtrit

from partbench.functional.statistics.moderated import Prior, moderated
from partbench.functional.statistics.paired import COMPARABLE, LEVEL, OF_A_TASK, ROUNDING
from partbench.functional.statistics.stack import Stack

_AT_ONCE = 1_000_000  # differences of images in memory at once: 8 MB


@dataclass(frozen=True)
class Pairings:
    """How any two of k explainers are paired: `paired.Pairing` for all of them at once.

    deterministic: (k), whether an explainer has no variance over seeds. network: (k), the number of the trained network
    that an explainer rests on, 0 for none. Two of the same network and the same numbers of seeds are paired by seed.
    """

    deterministic: Bool[np.ndarray, "k"]
    network: Int[np.ndarray, "k"]
    higher_is_better: bool = True
    prior: Prior | None = None


@dataclass(frozen=True)
class Estimates:
    """Mean differences of p pairs, as `paired.Estimate`, with the number of different images; NaN for none."""

    difference: Float[np.ndarray, "p"]
    variance: Float[np.ndarray, "p"]
    degrees: Float[np.ndarray, "p"]
    clusters: Float[np.ndarray, "p"]

    @cached_property
    def p(self) -> Float[np.ndarray, "p"]:
        """Two-sided p values, see `paired.Estimate.p`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(self.difference) / np.sqrt(self.variance)
        found = 2 * stdtr(self.degrees, -ratio)
        exact = np.where(self.difference == 0, 1.0, np.exp2(-self.degrees))
        return np.where(self.variance == 0, exact, found)

    def interval(self, level: float = LEVEL) -> Float[np.ndarray, "p 2"]:
        """Student's t intervals of the differences, see `paired.Estimate.interval`."""
        half = stdtrit(self.degrees, (1 + level) / 2) * np.sqrt(self.variance)
        agreed = (self.difference == 0) | (self.p <= 1 - level)
        half = np.where(self.variance == 0, np.where(agreed, 0, np.inf), half)
        return np.stack([self.difference - half, self.difference + half], axis=1)


@dataclass(frozen=True)
class Compared:
    """p pairs: estimates over these categories, and of each pair what `paired.Comparison` says.

    least: the smallest share of the images of a task on which both have a value. from_seeds: the variances due to the
    seeds of A and B, and their degrees. over_seeds: the variance of A over seeds, pooled within tasks, and its degrees.
    """

    these: Estimates
    better: Float[np.ndarray, "p"]
    images: Int[np.ndarray, "p"]
    of_images: Int[np.ndarray, "p"]
    least: Float[np.ndarray, "p"]
    from_seeds: Float[np.ndarray, "2 2 p"]
    over_seeds: Float[np.ndarray, "2 p"]

    @cached_property
    def comparable(self) -> Bool[np.ndarray, "p"]:
        """Whether both have a value on at least 90 % of the images, and on half of those of each task."""
        enough = (self.images >= COMPARABLE * self.of_images) & (self.least >= OF_A_TASK)
        return enough & ~np.isnan(self.these.difference)


def compare_all(stack: Stack, pairs: Int[np.ndarray, "p 2"], pairings: Pairings) -> Compared:
    """Compare explainers A and B of each pair, by their places in the stack; differences are A - B.

    Numbers are those of `paired.compare`; pairs without two images on which both have a value are NaN. Pairs whose
    explainers have values on the same images are computed together.
    """
    out = {name: np.full(len(pairs), np.nan) for name in ("difference", "image", "image_degrees", "clusters", "better")}
    seeds = np.zeros((3, 2, len(pairs)))  # (A, B, or A over seeds; variance or degrees; pair)
    counts, least = np.zeros((2, len(pairs)), int), np.ones(len(pairs))
    pattern, example = stack.patterns
    classes = np.sort(pattern[pairs], axis=1) @ [len(example), 1]
    for number in np.unique(classes):
        at = np.flatnonzero(classes == number)
        columns, counts[:, at], least[at] = _columns(stack, *example[[number // len(example), number % len(example)]])
        if len(columns):
            for name, numbers in _of_images(stack, pairs[at], columns, pairings).items():
                out[name][at] = numbers
            seeds[:, :, at] = _of_seeds(stack, pairs[at], columns, pairings)
    parts = np.concatenate([[[out["image"], out["image_degrees"]]], seeds[:2]])
    these = Estimates(out["difference"], *_summed(out["difference"], parts), out["clusters"])
    return Compared(these, out["better"], counts[0], counts[1], least, parts[1:], seeds[2])


def _columns(stack: Stack, a: int, b: int) -> tuple[Int[np.ndarray, "m"], Int[np.ndarray, "2 1"], float]:
    """The columns on which both have a value, of tasks with two or more; their number, and of how many images.

    The last is the smallest share of the images of a task, of those tasks that have two.
    """
    used = stack.known[a] & stack.known[b]
    listed = (stack.listed[a] | stack.listed[b]) & np.all(stack.seeds[[a, b]] > 0, axis=0)[stack.task]
    of_task, every = (np.bincount(stack.task[some], minlength=stack.seeds.shape[1]) for some in (used, listed))
    columns = np.flatnonzero(used & (of_task > 1)[stack.task])
    shares = of_task[every > 1] / every[every > 1]
    return columns, np.array([[len(columns)], [int(listed.sum())]]), float(shares.min(initial=1))


def _starts(sorted_numbers: Int[np.ndarray, "m"]) -> tuple[Int[np.ndarray, "t"], Int[np.ndarray, "t"]]:
    """Where each number begins in a sorted array, and how often it occurs."""
    starts = np.flatnonzero(np.append(True, sorted_numbers[1:] != sorted_numbers[:-1]))
    return starts, np.diff(np.append(starts, len(sorted_numbers)))


def _of_images(
    stack: Stack, pairs: Int[np.ndarray, "p 2"], columns: Int[np.ndarray, "m"], pairings: Pairings
) -> dict[str, Float[np.ndarray, "p"]]:
    """The mean difference, its variance that is due to images, the degrees of it, and how often A is better."""
    starts, sizes = _starts(stack.task[columns])
    order = np.argsort(stack.image[columns], kind="stable")
    clusters = _starts(stack.image[columns][order])[0]
    count, tasks = len(clusters), len(starts)
    found: dict[str, list[Float[np.ndarray, "q"]]] = {"difference": [], "image": [], "better": []}
    for some in blocks(pairs, len(columns)):
        delta = _differences(stack.means[some[:, :1], columns], stack.means[some[:, 1:], columns])
        of_task = np.add.reduceat(delta, starts, axis=1) / sizes
        sign = np.sign(delta) * (1 if pairings.higher_is_better else -1)
        share = (delta - np.repeat(of_task, sizes, axis=1)) / np.repeat(tasks * sizes, sizes)
        if count < len(columns):
            share = np.add.reduceat(share[:, order], clusters, axis=1)
        found["difference"].append(of_task.mean(1))
        found["image"].append(count / (count - 1) * np.einsum("ij,ij->i", share, share))
        found["better"].append(((np.add.reduceat(sign, starts, axis=1) / sizes + 1) / 2).mean(1))
    whole = {name: np.concatenate(blocks) for name, blocks in found.items()}
    degrees = np.full(len(pairs), count - 1.0)
    return {**whole, "image_degrees": degrees, "clusters": degrees + 1}


def blocks(pairs: Int[np.ndarray, "p 2"], columns: int) -> Iterator[Int[np.ndarray, "q 2"]]:
    """Pairs in blocks whose differences of images are in memory at once."""
    size = max(1, _AT_ONCE // columns)
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]


def _differences(a: Float[np.ndarray, "q m"], b: Float[np.ndarray, "q m"]) -> Float[np.ndarray, "q m"]:
    delta = a - b
    delta[np.abs(delta) <= ROUNDING * np.abs(b)] = 0
    return delta


def _of_seeds(
    stack: Stack, pairs: Int[np.ndarray, "p 2"], columns: Int[np.ndarray, "m"], pairings: Pairings
) -> Float[np.ndarray, "3 2 p"]:
    """Variance and degrees due to the seeds of A, and of B; variance over the seeds of A, and its degrees."""
    starts, sizes = _starts(stack.task[columns])
    tasks = stack.task[columns][starts]
    who, place = np.unique(pairs, return_inverse=True)
    a, b = place.reshape(pairs.shape).T
    values = stack.values[who][:, :, columns]
    means, seeds = np.add.reduceat(values, starts, axis=2) / sizes, stack.seeds[who][:, tasks]
    network = pairings.network[who]
    paired = (network[a] > 0) & (network[a] == network[b]) & (seeds[a] == seeds[b]).all(1)
    over, degrees, weight = _pooled(means, seeds)
    shrunk, of_both = moderated(over, degrees, pairings.prior)
    of_one = np.where(pairings.deterministic[who], 0, [shrunk * weight, of_both])
    pooled, of_pairs, _ = _pooled(means[a] - means[b], seeds[a])
    together = np.array([pooled * weight[a], of_pairs])
    mine, theirs = np.where(paired, together, of_one[:, a]), np.where(paired, 0, of_one[:, b])
    return np.stack([mine, theirs, np.array([over, degrees])[:, a]])


def _pooled(means: Float[np.ndarray, "p s t"], seeds: Int[np.ndarray, "p t"]) -> tuple[Float[np.ndarray, "p"], ...]:
    """Variance over seeds, pooled within tasks; degrees; and what gives the variance of the mean over seeds, tasks."""
    present = np.arange(means.shape[1])[None, :, None] < seeds[:, None, :]
    values = np.where(present, means, 0)
    each = np.maximum(seeds, 1)
    centred = np.where(present, values - (values.sum(1) / each)[:, None], 0)
    degrees = (seeds - 1).sum(1).astype(float)
    return np.square(centred).sum((1, 2)) / np.maximum(degrees, 1), degrees, (1 / each).mean(1) / seeds.shape[1]


def _summed(
    difference: Float[np.ndarray, "p"], parts: Float[np.ndarray, "3 2 p"]
) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "p"]]:
    """The sums of the variances with Satterthwaite's degrees."""
    variances, degrees = parts[:, 0], parts[:, 1]
    total = variances.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        summed = 1 / np.where(variances > 0, (variances / total) ** 2 / degrees, 0).sum(0)
    least = np.where(variances > 0, degrees, np.inf).min(0)
    certain = (np.sqrt(total) <= ROUNDING * np.abs(difference)) | (total == 0)
    return np.where(certain, 0, total), np.where(certain, degrees[0], np.maximum(summed, least))
