"""95 % intervals of means over tasks and seeds, for many rows of a page at once."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from partbench.functional.statistics.resampling import LEVEL

DRAWS = 2000
_SD_PER_WIDTH = 1 / (2 * 1.96)  # a 95 % interval is 2 * 1.96 standard deviations wide
_AT_ONCE = 128  # rows; an array of draws by rows then takes 2 MB
Cells = Float[np.ndarray, "cells 3"]


def mean_interval(tasks: Sequence[Float[np.ndarray, "s 3"]], draws: int = DRAWS) -> tuple[float, float]:
    """95 % interval of the mean over tasks of the mean over seeds, from value, low and high of the cells of each task.

    Two things could have come out otherwise. The training: per task, seeds are resampled with replacement, and
    deviations widened by sqrt(s / (s - 1)) because s resampled seeds spread too little. The images: each cell's own
    interval says how its value moves with the images. Seeds of a task share their images, so more seeds do not average
    this away: one normal error per task and draw, with the mean standard deviation of that task's cells. Tasks are not
    resampled: a board speaks of its own tasks. A single seed contributes no training noise; the page lists the seeds.
    NaN where a cell has no finite interval of its own.
    """
    low, high = mean_intervals([(np.concatenate(tasks), tuple(map(len, tasks)))], draws)[0]
    return float(low), float(high)


def mean_intervals(rows: Sequence[tuple[Cells, tuple[int, ...]]], draws: int = DRAWS) -> Float[np.ndarray, "rows 2"]:
    """`mean_interval` of each row, given as its cells, task by task, and the number of cells of each task.

    Rows with the same numbers of cells share their random numbers.
    """
    found = np.full((len(rows), 2), np.nan)
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for at, (cells, seeds) in enumerate(rows):
        if np.isfinite(cells).all():
            alike[seeds].append(at)
    for seeds, places in alike.items():
        noise = _noise(seeds, draws)
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            means, spread = zip(*(_mean_and_spread(*rows[at]) for at in some), strict=True)
            drawn = np.array(means) + noise @ np.stack(spread, axis=1)
            found[some] = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0).T
    return found


@functools.lru_cache(maxsize=32)  # many rows of a board have the same numbers of seeds
def _noise(seeds: tuple[int, ...], draws: int) -> Float[np.ndarray, "draws seeds+tasks"]:
    """From the number of seeds of each task: the weights of all seeds in each draw, then a normal error per task."""
    random = np.random.default_rng(0)
    pairs = [(random.multinomial(n, np.full(n, 1 / n), size=draws) / n, random.standard_normal(draws)) for n in seeds]
    weights, errors = zip(*pairs, strict=True)
    return np.concatenate([*weights, np.stack(errors, axis=1)], axis=1)


def _mean_and_spread(cells: Cells, seeds: tuple[int, ...]) -> tuple[float, Float[np.ndarray, "seeds+tasks"]]:
    """The mean, and what the noise is multiplied by: deviations from the means of tasks, and errors of the images."""
    counts = np.array(seeds)
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(cells[:, 0], starts) / counts
    training = (cells[:, 0] - np.repeat(means, counts)) * np.repeat(np.sqrt(counts / np.maximum(counts - 1, 1)), counts)
    images = np.add.reduceat(cells[:, 2] - cells[:, 1], starts) / counts * _SD_PER_WIDTH
    return float(means.mean()), np.concatenate([training, images]) / len(counts)
