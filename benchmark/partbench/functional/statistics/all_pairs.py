"""Explainers compared in pairs, image by image: mean differences, their variance by source, and t intervals.

The one place of the formula; `paired.compare` asks it for a single pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import stdtr, stdtrit

from partbench.functional.statistics.moderated import Prior, moderated
from partbench.functional.statistics.stack import Stack

LEVEL = 0.95
COMPARABLE = 0.9  # share of the images on which both explainers must have a value
OF_A_TASK = 0.5  # and of the images of each task, which weighs as much with few images as with many
LEAST_TASKS = 4  # for a statement about new categories
ROUNDING = 1e-9  # share of two values by which they may differ and count as equal
_AT_ONCE = 1_000_000  # differences of images in memory at once: 8 MB


@dataclass(frozen=True)
class Pairings:
    """What is known of k explainers, and of the metric, beside the values.

    deterministic: (k), whether an explainer has no variance over seeds. network: (k), the number of the trained network
    that an explainer rests on, 0 for none. Two of the same network and the same numbers of seeds are paired by seed.
    prior: what is known of variances over seeds, where one task tells little; differences of seeds of one network are
    not shrunk.
    """

    deterministic: Bool[np.ndarray, "k"]
    network: Int[np.ndarray, "k"]
    higher_is_better: bool = True
    prior: Prior | None = None

    def with_zero(self) -> Pairings:
        """The same with one more explainer, that of `Stack.with_zero`."""
        fixed, network = np.append(self.deterministic, True), np.append(self.network, 0)
        return replace(self, deterministic=fixed, network=network)

    def of(self, rows: Int[np.ndarray, "j"]) -> Pairings:
        """Of some explainers, each as often as it is named."""
        return replace(self, deterministic=self.deterministic[rows], network=self.network[rows])


@dataclass(frozen=True)
class Estimates:
    """Mean differences of p pairs, the variances of these estimates and the degrees of freedom of those; NaN for none.

    clusters: the number of different images or, of new categories, of tasks. Without any variance nothing tells the
    scale of t. The sign test counts instead: degrees + 1 differences of one sign have p = 2^-degrees. Two images that
    agree are no certainty.
    """

    difference: Float[np.ndarray, "p"]
    variance: Float[np.ndarray, "p"]
    degrees: Float[np.ndarray, "p"]
    clusters: Float[np.ndarray, "p"]

    @cached_property
    def p(self) -> Float[np.ndarray, "p"]:
        """Two-sided p of Student's t for a difference of 0; 1 where difference and variance are both 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(self.difference) / np.sqrt(self.variance)
        found = 2 * stdtr(self.degrees, -ratio)
        exact = np.where(self.difference == 0, 1.0, np.exp2(-self.degrees))
        return np.where(self.variance == 0, exact, found)

    def interval(self, level: float = LEVEL) -> Float[np.ndarray, "p 2"]:
        """Student's t intervals of the differences.

        Without variance it is the difference itself, or all numbers where the sign test is not significant.
        """
        half = stdtrit(self.degrees, (1 + level) / 2) * np.sqrt(self.variance)
        agreed = (self.difference == 0) | (self.p <= 1 - level)
        half = np.where(self.variance == 0, np.where(agreed, 0, np.inf), half)
        return np.stack([self.difference - half, self.difference + half], axis=1)


@dataclass(frozen=True)
class Compared:
    """p pairs on the tasks that both have; differences are A - B.

    these: over these categories, conditional on the performer and on the training and test sets. It holds for new
    images and, with several seeds, for new seeds.
    new: over categories like these; NaN with fewer than 4 tasks.
    better: the probability that A is better than B on an image, ties counted half; the mean over tasks.
    images: on how many image-task pairs both have a value, of `of_images`. least: the smallest share of the images of a
    task on which both have a value. tasks: (p, t), which tasks are compared.
    from_images, from_seeds: the variances due to images, and to the seeds of A and B, and their degrees. Where both
    rest on one trained network, A's is due to its seeds and B's is 0.
    over_seeds: the variance of A over seeds, pooled within tasks, and its degrees.
    one_seed: whether A or B, not deterministic, has one seed only on these tasks: `these` holds for these fits alone.
    """

    these: Estimates
    new: Estimates
    better: Float[np.ndarray, "p"]
    images: Int[np.ndarray, "p"]
    of_images: Int[np.ndarray, "p"]
    least: Float[np.ndarray, "p"]
    tasks: Bool[np.ndarray, "p t"]
    from_images: Float[np.ndarray, "2 p"]
    from_seeds: Float[np.ndarray, "2 2 p"]
    over_seeds: Float[np.ndarray, "2 p"]
    one_seed: Bool[np.ndarray, "p"]

    @cached_property
    def comparable(self) -> Bool[np.ndarray, "p"]:
        """Whether both have a value on at least 90 % of the images, and on half of those of each task."""
        enough = (self.images >= COMPARABLE * self.of_images) & (self.least >= OF_A_TASK)
        return enough & ~np.isnan(self.these.difference)


def compare_all(stack: Stack, pairs: Int[np.ndarray, "p 2"], pairings: Pairings) -> Compared:
    """Compare explainers A and B of each pair, by their places in the stack.

    Task t of T has n_t images on which both have a value in all seeds; delta_tc is the difference of the seed means on
    image c, d_t its mean, d the mean of the d_t. Over these categories the variance of d is V_img + V_A + V_B:

        V_img = C / (C - 1) sum_c (sum over tasks t that show c of (delta_tc - d_t) / (T n_t))^2,  C - 1 degrees,
        V_A = sum_t s2_A / S_t / T^2,  s2_A the variance over seeds pooled within tasks,  sum_t (S_t - 1) degrees,

    with C the number of different images (an image of several tasks is one cluster) and S_t the number of seeds;
    likewise V_B. Both are 0 for deterministic explainers. Where both rest on the same trained network, the variance
    over seeds of A - B, on the seeds in their order, stands for V_A + V_B. Degrees of freedom: Satterthwaite's,
    V^2 / sum_j V_j^2 / nu_j, at least the smallest nu_j. With a prior, s2_A is moderated by it. V_img holds the
    interaction of image and seed once more, so that V is slightly too large. With one seed V_A is unknown and 0.

    Over new categories: Student's t on the d_t with T - 1 degrees.

    Tasks without two images on which both have a value are left out, and count as images without a value; pairs without
    any other task are NaN. Pairs whose explainers have values on the same images are computed together.
    """
    names = ("difference", "image", "image_degrees", "clusters", "better", "new", "new_degrees")
    numbers = {name: np.full(len(pairs), np.nan) for name in names}
    seeds = np.zeros((3, 2, len(pairs)))  # (A, B, or A over seeds; variance or degrees; pair)
    counts, least = np.zeros((2, len(pairs)), int), np.ones(len(pairs))
    tasks = np.zeros((len(pairs), stack.seeds.shape[1]), bool)
    pattern, example = stack.patterns
    classes = np.sort(pattern[pairs], axis=1) @ [len(example), 1]
    for number in np.unique(classes):
        at = np.flatnonzero(classes == number)
        columns, counts[:, at], least[at] = _columns(stack, *example[[number // len(example), number % len(example)]])
        if len(columns):
            tasks[at] = np.bincount(stack.task[columns], minlength=tasks.shape[1]) > 0
            for name, found in _of_images(stack, pairs[at], columns, pairings).items():
                numbers[name][at] = found
            seeds[:, :, at] = _of_seeds(stack, pairs[at], columns, pairings)
    parts = np.concatenate([[[numbers["image"], numbers["image_degrees"]]], seeds[:2]])
    these = Estimates(numbers["difference"], *_summed(numbers["difference"], parts), numbers["clusters"])
    new = Estimates(numbers["difference"], numbers["new"], numbers["new_degrees"], numbers["new_degrees"] + 1)
    most = np.where(tasks[:, None], stack.seeds[pairs], 0).max(2, initial=0)
    one_seed = ((most == 1) & ~pairings.deterministic[pairs]).any(1)
    of_seeds = parts[1:], seeds[2], one_seed
    return Compared(these, new, numbers["better"], counts[0], counts[1], least, tasks, parts[0], *of_seeds)


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
    """The mean difference, its variance due to images, that of new tasks, degrees, and how often A is better."""
    starts, sizes = _starts(stack.task[columns])
    order = np.argsort(stack.image[columns], kind="stable")
    clusters = _starts(stack.image[columns][order])[0]
    count, tasks = len(clusters), len(starts)
    means = _of_columns(stack.means, columns)
    found: dict[str, list[Float[np.ndarray, "q"]]] = {"difference": [], "image": [], "better": [], "new": []}
    for some in blocks(pairs, len(columns)):
        delta = _differences(means[some[:, 0]], means[some[:, 1]])
        of_task = np.add.reduceat(delta, starts, axis=1) / sizes
        sign = np.sign(delta) * (1 if pairings.higher_is_better else -1)
        share = (delta - np.repeat(of_task, sizes, axis=1)) / np.repeat(tasks * sizes, sizes)
        if count < len(columns):
            share = np.add.reduceat(share[:, order], clusters, axis=1)
        found["difference"].append(of_task.mean(1))
        found["new"].append(of_task.var(1, ddof=1) / tasks if tasks >= LEAST_TASKS else np.full(len(some), np.nan))
        found["image"].append(count / (count - 1) * np.einsum("ij,ij->i", share, share))
        found["better"].append(((np.add.reduceat(sign, starts, axis=1) / sizes + 1) / 2).mean(1))
    whole = {name: np.concatenate(blocks) for name, blocks in found.items()}
    degrees = np.full(len(pairs), count - 1.0)
    new_degrees = np.full(len(pairs), tasks - 1.0 if tasks >= LEAST_TASKS else np.nan)
    return {**whole, "image_degrees": degrees, "clusters": degrees + 1, "new_degrees": new_degrees}


def blocks(pairs: Int[np.ndarray, "p 2"], columns: int) -> Iterator[Int[np.ndarray, "q 2"]]:
    """Pairs in blocks whose differences of images are in memory at once."""
    size = max(1, _AT_ONCE // columns)
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]


def _of_columns(array: Float[np.ndarray, "*d n"], columns: Int[np.ndarray, "m"]) -> Float[np.ndarray, "*d m"]:
    """Some columns; the array itself if these are all, which is usual and saves a copy."""
    return array if len(columns) == array.shape[-1] else array[..., columns]


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
    values = _of_columns(stack.values if len(who) == len(stack.values) else stack.values[who], columns).astype(float)
    means, seeds = np.add.reduceat(values, starts, axis=2) / sizes, stack.seeds[who][:, tasks]
    network = pairings.network[who]
    paired = (network[a] > 0) & (network[a] == network[b]) & (seeds[a] == seeds[b]).all(1)
    over, degrees, weight = _pooled(means, seeds)
    shrunk, of_both = moderated(over, degrees, pairings.prior)
    of_one = np.where(pairings.deterministic[who], 0, [shrunk * weight, of_both])
    mine, theirs = of_one[:, a], of_one[:, b]
    if paired.any():
        pooled, of_pairs, _ = _pooled(means[a] - means[b], seeds[a])
        together = np.array([pooled * weight[a], of_pairs])
        mine, theirs = np.where(paired, together, mine), np.where(paired, 0, theirs)
    return np.stack([mine, theirs, np.array([over, degrees])[:, a]])


def _pooled(means: Float[np.ndarray, "p s t"], seeds: Int[np.ndarray, "p t"]) -> tuple[Float[np.ndarray, "p"], ...]:
    """Variance over seeds, pooled within tasks; degrees; and what gives the variance of the mean over seeds, tasks.

    Seeds that agree but for rounding have no variance: as a number it would tell a prior that variances vary by powers.
    """
    present = np.arange(means.shape[1])[None, :, None] < seeds[:, None, :]
    values = np.where(present, means, 0)
    each = np.maximum(seeds, 1)
    centred = np.where(present, values - (values.sum(1) / each)[:, None], 0)
    degrees = (seeds - 1).sum(1).astype(float)
    squares, size = (np.square(some).sum((1, 2)) for some in (centred, values))
    squares = np.where(squares <= ROUNDING**2 * size, 0, squares)
    return squares / np.maximum(degrees, 1), degrees, (1 / each).mean(1) / seeds.shape[1]


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
