"""Two explainers compared image by image: the mean difference, its variance by source, and a t interval."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

from partbench.functional.statistics.moderated import Prior, moderated

LEVEL = 0.95
COMPARABLE = 0.9  # share of the images on which both explainers must have a value
OF_A_TASK = 0.5  # and of the images of each task, which weighs as much with few images as with many
LEAST_TASKS = 4  # for a statement about new categories
ROUNDING = 1e-9  # share of two values by which they may differ and count as equal


@dataclass(frozen=True)
class Evidence:
    """What an explainer's s cells of one task, one a seed, say of a metric: evidence of n images, NaN where none.

    `images` are the ids of the images. An image that several tasks show has the same id in all of them.
    """

    images: Sequence[str]
    values: Float[np.ndarray, "s n"]

    def at(self, images: Sequence[str]) -> Float[np.ndarray, "s m"]:
        """The evidence of these images; NaN for those that are not here."""
        if images == self.images:
            return self.values
        place = {name: i for i, name in enumerate(self.images)}
        values = np.column_stack([self.values, np.full(len(self.values), np.nan)])
        return values[:, [place.get(name, -1) for name in images]]


@dataclass(frozen=True)
class Estimate:
    """A mean difference, the variance of its estimate and the degrees of freedom of that variance.

    Without any variance nothing tells the scale of t. The sign test counts instead: degrees + 1 differences of one sign
    have p = 2^-degrees. Two images that agree are no certainty.
    """

    difference: float
    variance: float
    degrees: float

    @property
    def p(self) -> float:
        """Two-sided p of Student's t for a difference of 0; 1 where difference and variance are both 0."""
        if self.variance == 0:
            return 1.0 if self.difference == 0 else 2.0**-self.degrees
        return float(2 * stdtr(self.degrees, -abs(self.difference) / math.sqrt(self.variance)))

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Student's t interval of the difference.

        Without variance it is the difference itself, or all numbers where the sign test is not significant.
        """
        if self.variance == 0:
            known = self.difference == 0 or self.p <= 1 - level
            return (self.difference, self.difference) if known else (-math.inf, math.inf)
        half = float(stdtrit(self.degrees, (1 + level) / 2)) * math.sqrt(self.variance)
        return self.difference - half, self.difference + half


@dataclass(frozen=True)
class Comparison:
    """Explainer A against explainer B on the tasks that both have; differences are A - B.

    these: over these categories, conditional on the performer and on the training and test sets. It holds for new
    images and, with several seeds, for new seeds.
    new: over categories like these; None with fewer than 4 tasks.
    from_images, from_a, from_b: the parts of the variance of `these` that are due to the images and to the seeds of
    each explainer. Where both rest on the same trained network, from_a is due to its seeds and from_b is 0.
    images: on how many image-task pairs both have a value, of `of_images`; comparable: whether that is at least 90 %.
    better: the probability that A is better than B on an image, ties counted half; the mean over tasks.
    one_seed: whether an explainer that is not deterministic has one seed only: `these` then holds for these fits alone.
    least: the smallest share of the images of a task on which both have a value; see `comparable`.
    """

    these: Estimate
    new: Estimate | None
    from_images: float
    from_a: float
    from_b: float
    tasks: tuple[str, ...]
    images: int
    of_images: int
    better: float
    one_seed: bool
    least: float = 1.0

    @property
    def comparable(self) -> bool:
        """Whether both have a value on at least 90 % of the images, and on half of those of each task."""
        return self.images >= COMPARABLE * self.of_images and self.least >= OF_A_TASK


@dataclass(frozen=True)
class Pairing:
    """What is known of the two explainers, and of the metric, beside the values.

    deterministic: of A and of B; such an explainer has no variance over seeds. same_network: whether both rest on the
    same trained network, so that their values of one seed are a pair. prior: what is known of variances over seeds,
    where one task tells little; differences of seeds of one network are not shrunk.
    """

    deterministic: tuple[bool, bool] = (False, False)
    same_network: bool = False
    higher_is_better: bool = True
    prior: Prior | None = None


@dataclass(frozen=True)
class _Task:
    """One task, on the images that both have: means of each seed, and per image the difference of the seed means."""

    images: list[str]
    a: Float[np.ndarray, "s"]
    b: Float[np.ndarray, "r"]
    differences: Float[np.ndarray, "n"]
    of_images: int

    @staticmethod
    def of(a: Evidence, b: Evidence) -> _Task:
        every = a.images if a.images == b.images else tuple(dict.fromkeys([*a.images, *b.images]))
        mine, theirs = a.at(every), b.at(every)
        used = ~(np.isnan(mine).any(0) | np.isnan(theirs).any(0))
        mine, theirs = mine[:, used], theirs[:, used]
        images = [name for name, both in zip(every, used, strict=True) if both]
        if not images:
            return _Task([], np.empty(0), np.empty(0), np.empty(0), len(every))
        return _Task(images, mine.mean(1), theirs.mean(1), _difference(mine.mean(0), theirs.mean(0)), len(every))


def compare(a: Mapping[str, Evidence], b: Mapping[str, Evidence], pairing: Pairing | None = None) -> Comparison:
    """Compare explainers A and B on the tasks that both have, from their evidence by task.

    Task t of T has n_t images on which both have a value in all seeds; delta_tc is the difference of the seed means on
    image c, d_t its mean, d the mean of the d_t. Over these categories the variance of d is V_img + V_A + V_B:

        V_img = C / (C - 1) sum_c (sum over tasks t that show c of (delta_tc - d_t) / (T n_t))^2,  C - 1 degrees,
        V_A = sum_t s2_A / S_t / T^2,  s2_A the variance over seeds pooled within tasks,  sum_t (S_t - 1) degrees,

    with C the number of different images (an image of several tasks is one cluster) and S_t the number of seeds;
    likewise V_B. Both are 0 for deterministic explainers. Where both rest on the same trained network, the variance
    over seeds of A - B, on the seeds in their order, stands for V_A + V_B. Degrees of freedom: Satterthwaite's,
    V^2 / sum_j V_j^2 / nu_j, at least the smallest nu_j. With a prior, s2_A is moderated by it. V_img holds the
    interaction of image and seed once more, so that V is slightly too large. With one seed V_A is unknown and 0; see
    `Comparison.one_seed`.

    Over new categories: Student's t on the d_t with T - 1 degrees.

    Raises ValueError where no task has two images on which both have a value, and for pairs of seeds of one network
    that differ in number. Tasks without such images are left out, and count as images without a value.
    """
    pairing = pairing or Pairing()
    found = {name: _Task.of(a[name], b[name]) for name in sorted(a.keys() & b.keys())}
    of_images = sum(task.of_images for task in found.values())
    tasks = {name: task for name, task in found.items() if len(task.images) > 1}
    if not tasks:
        raise ValueError("no task has two images on which both explainers have a value")
    used = list(tasks.values())
    d = np.array([task.differences.mean() for task in used])
    parts = [_image_variance(used, d), *_seed_variances(used, pairing)]
    signs = [np.sign(task.differences) * (1 if pairing.higher_is_better else -1) for task in used]
    single = [max(map(len, seeds)) == 1 for seeds in ([task.a for task in used], [task.b for task in used])]
    return Comparison(
        these=_summed(float(d.mean()), parts),
        new=None if len(d) < LEAST_TASKS else Estimate(float(d.mean()), float(d.var(ddof=1) / len(d)), len(d) - 1),
        from_images=parts[0][0], from_a=parts[1][0], from_b=parts[2][0],
        tasks=tuple(tasks), images=sum(len(task.images) for task in used), of_images=of_images,
        better=float(np.mean([(sign.mean() + 1) / 2 for sign in signs])),
        one_seed=any(one and not fixed for one, fixed in zip(single, pairing.deterministic, strict=True)),
        least=min((len(task.images) / task.of_images for task in found.values() if task.of_images > 1), default=1.0),
    )  # fmt: skip


def _difference(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """a - b, 0 for values that are equal but for rounding: a rounding error of one sign would be significant."""
    return np.where(np.isclose(a, b, rtol=ROUNDING, atol=0), 0.0, a - b)


def _image_variance(tasks: Sequence[_Task], d: Float[np.ndarray, "t"]) -> tuple[float, float]:
    """V_img and its degrees."""
    clusters: dict[str, float] = defaultdict(float)
    for task, mean in zip(tasks, d, strict=True):
        for name, share in zip(task.images, (task.differences - mean) / (len(d) * len(task.images)), strict=True):
            clusters[name] += share
    count = len(clusters)
    return count / (count - 1) * float(np.square(list(clusters.values())).sum()), count - 1


def _seed_variances(tasks: Sequence[_Task], pairing: Pairing) -> list[tuple[float, float]]:
    """V_A and V_B and their degrees."""
    if pairing.same_network:
        if any(len(task.a) != len(task.b) for task in tasks):
            raise ValueError("explainers of one network have different numbers of seeds, expected pairs of seeds")
        return [_pooled([task.a - task.b for task in tasks]), (0.0, 0)]
    sides = [task.a for task in tasks], [task.b for task in tasks]
    fixed = pairing.deterministic
    return [(0.0, 0) if known else _pooled(means, pairing.prior) for means, known in zip(sides, fixed, strict=True)]


def _pooled(means: Sequence[Float[np.ndarray, "s"]], prior: Prior | None = None) -> tuple[float, float]:
    """Variance of the mean over tasks of the mean over seeds, its variance pooled within tasks; degrees."""
    degrees = sum(len(task) - 1 for task in means)
    if not degrees:
        return 0.0, 0
    pooled = sum(float(np.square(task - task.mean()).sum()) for task in means) / degrees
    shrunk, of_both = moderated(np.array(pooled), np.array(float(degrees)), prior)
    return float(shrunk) * sum(1 / len(task) for task in means) / len(means) ** 2, float(of_both)


def _summed(difference: float, parts: Sequence[tuple[float, float]]) -> Estimate:
    """The sum of the variances with Satterthwaite's degrees."""
    known = [(variance, degrees) for variance, degrees in parts if variance > 0]
    total = sum(variance for variance, _ in known)
    if math.sqrt(total) <= ROUNDING * abs(difference):
        return Estimate(difference, 0.0, parts[0][1])
    degrees = 1 / sum((variance / total) ** 2 / of_part for variance, of_part in known)
    return Estimate(difference, total, max(degrees, min(of_part for _, of_part in known)))
