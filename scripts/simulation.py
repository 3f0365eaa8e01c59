"""Write the tables of docs/statistics.md: how often intervals and verdicts hold in simulated worlds.

    python scripts/simulation.py [--worlds 1000]

In a world, explainers are scored on the same images of T tasks with S seeds each. The value of an image is the sum of
an effect of the image that all explainers share, and of effects of explainer and task, explainer and image, explainer,
task and seed, and a rest.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.stats import binom

from partbench.functional.statistics import (
    Compared,
    Estimates,
    Pairings,
    Prior,
    Stack,
    bounded_interval,
    compare_all,
    dominated_by_far_out,
    holm,
    prior_of,
    without_far_out,
)  # fmt: skip
from partbench.leaderboard.markdown import grid

REPOSITORY = Path(__file__).resolve().parents[1]
_AT_ONCE = 4_000_000  # values drawn at once


@dataclass(frozen=True)
class World:
    """Sizes, and standard deviations over tasks (of an explainer's mean), images and seeds."""

    tasks: int
    seeds: int
    images: int
    of_task: float = 0.5
    of_seed: float = 0.1
    explainers: int = 2
    shared: bool = True  # neighbouring tasks share half of their images

    def numbers(self) -> np.ndarray:
        """The number of each image of each task."""
        step = self.images // 2 if self.shared else self.images
        return np.concatenate([np.arange(self.images) + t * step for t in range(self.tasks)])


def drawn(world: World, worlds: int, random: np.random.Generator, spread: np.ndarray | float = 1.0) -> tuple[
    Stack, Float[np.ndarray, "w e"], Float[np.ndarray, "w e"]
]:  # fmt: skip
    """Worlds in one stack, explainers of one world side by side; the true mean of each explainer, and of its fits.

    `spread` multiplies the standard deviation over seeds, for each world and explainer.
    """
    shape, numbers = (worlds, world.explainers), world.numbers()
    task = np.repeat(np.arange(world.tasks), world.images)
    of_image = random.normal(size=(worlds, 1, numbers.max() + 1)) + random.normal(size=(*shape, numbers.max() + 1)) / 2
    of_task = world.of_task * random.normal(size=(*shape, world.tasks))
    of_seed = random.normal(size=(*shape, world.seeds, world.tasks)) * world.of_seed
    of_seed *= np.broadcast_to(spread, shape)[..., None, None]
    values = of_image[:, :, None, numbers] + (of_task[:, :, None] + of_seed)[..., task]
    values += 0.3 * random.normal(size=values.shape)
    k = worlds * world.explainers
    seeds = np.full((k, world.tasks), world.seeds)
    stack = Stack(values.reshape(k, world.seeds, -1), np.ones((k, len(task)), bool), seeds, task, numbers)
    return stack, of_task.mean(2), (of_task + of_seed.mean(2)).mean(2)


def compared(stack: Stack, explainers: int, prior: Prior | None = None) -> Compared:
    """All pairs within each world."""
    worlds = len(stack.seeds) // explainers
    pairs = np.array(list(itertools.combinations(range(explainers), 2)))
    every = (pairs[None] + explainers * np.arange(worlds)[:, None, None]).reshape(-1, 2)
    k = len(stack.seeds)
    return compare_all(stack, every, Pairings(np.zeros(k, bool), np.zeros(k, int), prior=prior))


def _batches(world: World, worlds: int) -> Iterator[int]:
    size = max(1, _AT_ONCE // (world.explainers * world.seeds * world.tasks * world.images))
    for start in range(0, worlds, size):
        yield min(size, worlds - start)


def coverage(world: World, worlds: int, random: np.random.Generator) -> float:
    """How often the 95 % interval of A - B holds the true difference; with one seed, that of these fits."""
    held = 0
    for count in _batches(world, worlds):
        stack, means, fits = drawn(world, count, random)
        truth = fits if world.seeds == 1 else means
        low, high = compared(stack, 2).these.interval().T
        held += int(((low <= truth[:, 0] - truth[:, 1]) & (truth[:, 0] - truth[:, 1] <= high)).sum())
    return held / worlds


def coverage_of_new(world: World, worlds: int, random: np.random.Generator) -> float:
    """The same for categories like these, whose mean difference is 0."""
    held = 0
    for count in _batches(world, worlds):
        low, high = compared(drawn(world, count, random)[0], 2).new.interval().T
        held += int(((low <= 0) & (high >= 0)).sum())
    return held / worlds


def family_errors(world: World, worlds: int, random: np.random.Generator, apart: float = 0.0) -> tuple[float, float]:
    """With verdicts by Holm's method: how often a family has a false one, or one of the wrong direction; power.

    The first half of the explainers have mean 0, the others `apart`, when seeds and images are left out. Power is the
    share of true differences that are found (NaN without any).
    """
    pairs, false, found = np.array(list(itertools.combinations(range(world.explainers), 2))), 0, []
    means = apart * (np.arange(world.explainers) >= world.explainers // 2)
    truth = np.sign(means[pairs[:, 0]] - means[pairs[:, 1]])
    for count in _batches(world, worlds):
        stack, own, _ = drawn(world, count, random)
        shift = (means - own).reshape(-1, 1, 1)  # the mean over these tasks is the planted one
        moved = Stack(stack.values + shift, stack.listed, stack.seeds, stack.task, stack.image)
        these = compared(moved, world.explainers).these
        for p, difference in zip(these.p.reshape(count, -1), these.difference.reshape(count, -1), strict=True):
            said = np.where(holm(p) < 0.05, np.sign(difference), 0)
            false += bool(((said != 0) & (said != truth)).any())
            found.append(np.mean((said == truth)[truth != 0]) if truth.any() else np.nan)
    return false / worlds, float(np.mean(found))


def moderation(seeds: int, worlds: int, random: np.random.Generator, unlike: float) -> dict[str, tuple[float, float]]:
    """One task, 12 pairs of explainers in a dataset: coverage and mean width, with plain and moderated variances.

    `unlike`: the standard deviation of the logarithm of the explainers' standard deviations over seeds.
    """
    world, held, width = World(1, seeds, 100, of_seed=0.3), {True: 0, False: 0}, {True: 0.0, False: 0.0}
    groups = max(1, worlds // 12)
    for _ in range(groups):
        spread = np.exp(unlike * random.normal(size=(12, 2)))
        stack, means, _ = drawn(world, 12, random, spread)
        truth = means[:, 0] - means[:, 1]
        plain = compared(stack, 2)
        over = np.square(stack.values.mean(2) - stack.values.mean((1, 2))[:, None]).sum(1) / (seeds - 1)
        prior = prior_of(over, np.full(len(over), seeds - 1.0))
        for shrunk, these in ((False, plain.these), (True, compared(stack, 2, prior).these)):
            low, high = these.interval().T
            held[shrunk] += int(((low <= truth) & (truth <= high)).sum())
            width[shrunk] += float((high - low).mean())
    return {name: (held[s] / groups / 12, width[s] / groups) for name, s in (("plain", False), ("moderated", True))}


def coverage_of_share(share: float, images: int) -> float:
    """The exact coverage of the interval of a share of right answers, over the binomial distribution of hits."""
    hits = np.arange(images + 1)
    value = hits / images
    n = np.full(images + 1, float(images))
    found = Estimates(value, value * (1 - value) / (n - 1), n - 1, n)
    low, high = bounded_interval(value, found, (0.0, 1.0)).T
    return float(binom.pmf(hits, images, share)[(low <= share) & (share <= high)].sum())


def far_values(kind: str, shape: tuple[int, ...], random: np.random.Generator) -> Float[np.ndarray, "*shape"]:
    """Effects of explainer and image of mean 0 (Cauchy has none), some with images far out."""
    if kind == "rare loss":
        return 0.1 + 0.1 * random.normal(size=shape) - 10 * (random.random(shape) < 0.01)
    if kind == "log-normal":
        return np.exp(1.5 * random.normal(size=shape)) - np.exp(1.5**2 / 2)
    if kind.startswith("Student"):
        return random.standard_t(int(kind[-1]), size=shape)
    return random.normal(size=shape)


def far_out(kind: str, images: int, worlds: int, random: np.random.Generator) -> tuple[float, float, float]:
    """Six explainers of one mean: family-wise error on all images, by the rule of boards, and how often that applies.

    One task, three seeds (standard deviation .1).
    """
    explainers, pairs, errors, moved = 6, np.array(list(itertools.combinations(range(6), 2))), np.zeros(2), 0.0
    pairings = Pairings(np.zeros(explainers, bool), np.zeros(explainers, int))
    for _ in range(worlds):
        values = far_values(kind, (explainers, 1, images), random) + 0.1 * random.normal(size=(explainers, 3, 1))
        values = values + 0.1 * random.normal(size=(explainers, 3, images))
        ones = np.ones((explainers, images), bool)
        stack = Stack(values, ones, np.full((explainers, 1), 3), np.zeros(images, int), np.arange(images))
        raw = compare_all(stack, pairs, pairings).these
        far, p, direction = dominated_by_far_out(stack, pairs), raw.p.copy(), np.sign(raw.difference)
        if far.any():
            rest = without_far_out(stack, pairs[far], pairings).these
            p[far], direction[far] = np.minimum(2 * rest.p, 1), np.sign(rest.difference)
        said = (holm(p) < 0.05) & (direction == np.sign(raw.difference))
        errors += [(holm(raw.p) < 0.05).any(), said.any()]
        moved += far.mean()
    return float(errors[0] / worlds), float(errors[1] / worlds), moved / worlds


TASKS, SEEDS, IMAGES = (1, 2, 3, 4, 6), (1, 2, 3, 5), (20, 100, 600)


def of_coverage(worlds: int) -> str:
    """Coverage by tasks, seeds, images and standard deviation over seeds."""
    random = np.random.default_rng(0)
    kinds = list(itertools.product((0.05, 0.5), IMAGES))
    rows = []
    for tasks, seeds in itertools.product(TASKS, SEEDS):
        found = [coverage(World(tasks, seeds, n, of_seed=sd), worlds, random) for sd, n in kinds]
        rows.append([str(tasks), str(seeds), *(f"{x:.3f}" for x in found)])
    return grid(["tasks", "seeds", *(f"seeds {sd}, {n} images" for sd, n in kinds)], rows)


def of_new(worlds: int) -> str:
    """Coverage for new categories, by tasks and standard deviation over tasks."""
    random = np.random.default_rng(1)
    kinds = (0.05, 0.5)
    rows = [
        [str(t), *(f"{coverage_of_new(World(t, 3, 50, of_task=sd, shared=False), worlds // 4, random):.3f}"
                   for sd in kinds)]
        for t in (4, 6)
    ]  # fmt: skip
    return grid(["tasks", *(f"tasks {sd}" for sd in kinds)], rows)


def of_families(worlds: int) -> str:
    """Family-wise error of six explainers."""
    random = np.random.default_rng(2)
    rows = []
    for tasks, seeds, n in ((1, 3, 100), (1, 5, 100), (4, 3, 100), (6, 3, 20), (6, 5, 100)):
        cells = []
        for apart in (0.0, 0.2, 1.0):
            error, power = family_errors(World(tasks, seeds, n, explainers=6), worlds // 2, random, apart)
            cells += [f"{error:.3f}", *([f"{power:.2f}"] if apart else [])]
        rows.append([str(tasks), str(seeds), str(n), *cells])
    return grid(["tasks", "seeds", "images", "all equal", "0.2 apart", "found", "1 apart", "found"], rows)


def of_moderation(worlds: int) -> str:
    """One task: plain and moderated variances over seeds."""
    random = np.random.default_rng(3)
    rows = []
    for seeds, unlike in itertools.product((2, 3, 5), (0.0, 0.5, 1.0)):
        found = moderation(seeds, worlds, random, unlike)
        rows.append([str(seeds), str(unlike), *(f"{x:.3f}" for name in ("plain", "moderated") for x in found[name])])
    return grid(["seeds", "unlike", "plain: coverage", "width", "moderated: coverage", "width"], rows)


FAR = ("normal", "Student 3", "Student 2", "Student 1", "log-normal", "rare loss")


def of_far_out(worlds: int) -> str:
    """Family-wise error with images far out."""
    random = np.random.default_rng(4)
    rows = []
    for kind, images in itertools.product(FAR, (50, 200)):
        rows.append([kind, str(images), *(f"{x:.3f}" for x in far_out(kind, images, worlds // 2, random))])
    return grid(["images differ by", "images", "all images", "by the rule", "pairs with images far out"], rows)


def of_shares() -> str:
    """Exact coverage of the interval of a share."""
    shares = (0.5, 0.8, 0.95, 0.99)
    rows = [[str(n), *(f"{coverage_of_share(share, n):.3f}" for share in shares)] for n in IMAGES]
    return grid(["images", *map(str, shares)], rows)


def main() -> None:
    """Put the tables between their markers in docs/statistics.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--worlds", type=int, default=1000)
    worlds = parser.parse_args().worlds
    write({"shares": of_shares()} | {name: table(worlds) for name, table in TABLES.items()})


TABLES = {
    "coverage": of_coverage,
    "new": of_new,
    "families": of_families,
    "moderation": of_moderation,
    "far": of_far_out,
}


def write(tables: dict[str, str]) -> None:
    """Replace tables of the page, by name."""
    page = REPOSITORY / "docs" / "statistics.md"
    text = page.read_text()
    for name, table in tables.items():
        marked = re.compile(rf"(<!-- {name} -->).*?(<!-- /{name} -->)", re.S)
        text = marked.sub(lambda found, table=table: f"{found[1]}\n{table}\n{found[2]}", text)
    page.write_text(text)


if __name__ == "__main__":
    main()
