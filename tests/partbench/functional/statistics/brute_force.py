"""The paired comparison step by step, one image after the other: the oracle of `functional.statistics.compare`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

from partbench.functional.statistics import Evidence, Pairing, Prior, moderated

ROUNDING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A difference, its variance and the degrees of this; the sign test where there is no variance."""

    difference: float
    variance: float
    degrees: float

    @property
    def p(self) -> float:
        if self.variance == 0:
            return 1.0 if self.difference == 0 else 2.0**-self.degrees
        return float(2 * stdtr(self.degrees, -abs(self.difference) / math.sqrt(self.variance)))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        if self.variance == 0:
            known = self.difference == 0 or self.p <= 1 - level
            return (self.difference, self.difference) if known else (-math.inf, math.inf)
        half = float(stdtrit(self.degrees, (1 + level) / 2)) * math.sqrt(self.variance)
        return self.difference - half, self.difference + half


class Comparison(NamedTuple):
    """The fields of `functional.statistics.Comparison`."""

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
    comparable: bool


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
    """What `functional.statistics.compare` finds, and raises."""
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
    images, of_tasks = sum(len(task.images) for task in used), [t for t in found.values() if t.of_images > 1]
    least = min((len(task.images) / task.of_images for task in of_tasks), default=1.0)
    return Comparison(
        these=_summed(float(d.mean()), parts),
        new=None if len(d) < 4 else Estimate(float(d.mean()), float(d.var(ddof=1) / len(d)), len(d) - 1),
        from_images=parts[0][0], from_a=parts[1][0], from_b=parts[2][0],
        tasks=tuple(tasks), images=images, of_images=of_images,
        better=float(np.mean([(sign.mean() + 1) / 2 for sign in signs])),
        one_seed=any(one and not fixed for one, fixed in zip(single, pairing.deterministic, strict=True)),
        comparable=images >= 0.9 * of_images and least >= 0.5,
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
