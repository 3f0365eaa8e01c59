"""Two explainers compared image by image, from the evidence of each: one pair of `all_pairs.compare_all`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from jaxtyping import Float

from partbench.functional.statistics.all_pairs import LEVEL, Compared, Estimates, Pairings, compare_all
from partbench.functional.statistics.moderated import Prior
from partbench.functional.statistics.stack import Stack

PAIR = np.array([[0, 1]])
NOTHING_SHARED = "no task has two images on which both explainers have a value"


@dataclass(frozen=True)
class Evidence:
    """What an explainer's s cells of one task, one a seed, say of a metric: evidence of n images, NaN where none.

    `images` are the ids of the images, or numbers that stand for them. An image that several tasks show has the same id
    in all of them.
    """

    images: Sequence[str | int]
    values: Float[np.ndarray, "s n"]

    def at(self, images: Sequence[str | int]) -> Float[np.ndarray, "s m"]:
        """The evidence of these images; NaN for those that are not here."""
        if images == self.images:
            return self.values
        place = {name: i for i, name in enumerate(self.images)}
        values = np.column_stack([self.values, np.full(len(self.values), np.nan)])
        return values[:, [place.get(name, -1) for name in images]]


@dataclass(frozen=True)
class Estimate:
    """A mean difference, the variance of its estimate and the degrees of freedom of that variance; see `Estimates`."""

    difference: float
    variance: float
    degrees: float

    @property
    def p(self) -> float:
        """Two-sided p of Student's t for a difference of 0; 1 where difference and variance are both 0."""
        return float(self._alone.p[0])

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Student's t interval of the difference.

        Without variance it is the difference itself, or all numbers where the sign test is not significant.
        """
        low, high = self._alone.interval(level)[0]
        return float(low), float(high)

    @property
    def _alone(self) -> Estimates:
        return Estimates(*(np.array([x]) for x in (self.difference, self.variance, self.degrees, np.nan)))

    @staticmethod
    def of(found: Estimates) -> Estimate | None:
        """The only one of some estimates; None where there is none."""
        numbers = (float(column[0]) for column in (found.difference, found.variance, found.degrees))
        return None if np.isnan(found.variance[0]) else Estimate(*numbers)


@dataclass(frozen=True)
class Comparison:
    """Explainer A against explainer B on the tasks that both have, as `Compared` says it; differences are A - B.

    new: None with fewer than 4 tasks. from_images, from_a, from_b: the parts of the variance of `these`. tasks: names
    of those compared. one_seed: whether an explainer that is not deterministic has one seed only: `these` then holds
    for these fits alone. comparable: see `Compared.comparable`.
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
    comparable: bool


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


def compare(a: Mapping[str, Evidence], b: Mapping[str, Evidence], pairing: Pairing | None = None) -> Comparison:
    """Compare explainers A and B on the tasks that both have, from their evidence by task; see `compare_all`.

    Raises ValueError where no task has two images on which both have a value, and for pairs of seeds of one network
    that differ in number.
    """
    stack, pairings = as_stack(a, b, pairing)
    found = compare_all(stack, PAIR, pairings)
    these = Estimate.of(found.these)
    if these is None:
        raise ValueError(NOTHING_SHARED)
    names = tuple(name for name, used in zip(sorted(a.keys() & b.keys()), found.tasks[0], strict=True) if used)
    return _comparison(found, these, names)


def as_stack(a: Mapping[str, Evidence], b: Mapping[str, Evidence], pairing: Pairing | None) -> tuple[Stack, Pairings]:
    """A and B on the tasks that both have, in the order of their names.

    Raises ValueError for pairs of seeds of one network that differ in number.
    """
    pairing = pairing or Pairing()
    stack = _stacked([(a[name], b[name]) for name in sorted(a.keys() & b.keys())])
    if pairing.same_network and (stack.seeds[0] != stack.seeds[1]).any():
        raise ValueError("explainers of one network have different numbers of seeds, expected pairs of seeds")
    fixed, network = np.array(pairing.deterministic), np.full(2, int(pairing.same_network))
    return stack, Pairings(fixed, network, pairing.higher_is_better, pairing.prior)


def _comparison(found: Compared, these: Estimate, tasks: tuple[str, ...]) -> Comparison:
    """What is said of the only pair."""
    return Comparison(
        these=these, new=Estimate.of(found.new), from_images=float(found.from_images[0, 0]),
        from_a=float(found.from_seeds[0, 0, 0]), from_b=float(found.from_seeds[1, 0, 0]), tasks=tasks,
        images=int(found.images[0]), of_images=int(found.of_images[0]), better=float(found.better[0]),
        one_seed=bool(found.one_seed[0]), comparable=bool(found.comparable[0]),
    )  # fmt: skip


def _stacked(tasks: Sequence[tuple[Evidence, Evidence]]) -> Stack:
    """The evidence of two explainers, task by task, in columns of the images that either has."""
    every = [a.images if a.images == b.images else tuple(dict.fromkeys([*a.images, *b.images])) for a, b in tasks]
    number = dict(zip(dict.fromkeys(chain.from_iterable(every)), count()))
    seeds = np.array([[len(side.values) for side in sides] for sides in tasks], int).reshape(-1, 2).T
    task = np.repeat(np.arange(len(tasks)), [len(images) for images in every])
    values = np.full((2, int(seeds.max(initial=0)), len(task)), np.nan)
    listed = np.zeros((2, len(task)), bool)
    for t, (images, sides) in enumerate(zip(every, tasks, strict=True)):
        for k, side in enumerate(sides):
            values[k][: len(side.values), task == t] = side.at(images)
            listed[k, task == t] = np.isin(images, side.images) if len(images) > len(side.images) else True
    image = np.fromiter(map(number.__getitem__, chain.from_iterable(every)), int, len(task))
    return Stack(values, listed, seeds, task, image)
