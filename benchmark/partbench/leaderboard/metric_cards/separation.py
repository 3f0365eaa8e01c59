"""What the images at hand can tell apart, by the paired differences of explainers on each image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri, stdtrit

from partbench.leaderboard.sources import Sources

LEVEL, POWER = 0.95, 0.8
ByTask = Sequence[Float[np.ndarray, "k n"]]  # a value of each explainer on each image; NaN where there is none


@dataclass(frozen=True)
class Separation:
    """What images can tell apart on boards: seeds are averaged, and the noise of training is not counted.

    separated: how many of the `pairs` of explainers have a mean difference over the tasks of a board that leaves out 0
    at 95 %. needed: for each two neighbours in the order of a board, the number of images of all its tasks that would
    separate them in four cases of five; infinite for equals. images: the number of images of each board.
    """

    separated: int
    pairs: int
    needed: tuple[float, ...]
    images: tuple[int, ...]

    @property
    def share(self) -> float:
        """Share of the pairs that are separated; NaN without pairs."""
        return self.separated / self.pairs if self.pairs else np.nan

    @property
    def neighbours(self) -> float:
        """Median number of images that two neighbours need; NaN without any."""
        return float(np.median(self.needed)) if self.needed else np.nan


def separations(sources: Sources) -> dict[tuple[str, str], Separation]:
    """What images can tell apart, by metric and dataset."""
    honest = set(zip(sources.honest["board"], sources.honest["label"], strict=True))
    found: dict[tuple[str, str], list[Separation]] = defaultdict(list)
    for board in sources.judged.boards:
        aligned = board.aligned
        ranked = "@" not in aligned.metric and board.directed
        compared = [place for place, label in enumerate(aligned.labels) if (aligned.board, label) in honest]
        if ranked and compared:
            stack = aligned.stack
            values, used = np.where(stack.known, stack.means, np.nan)[compared], stack.known[compared].any(0)
            tasks = [values[:, used & (stack.task == task)] for task in range(len(aligned.tasks))]
            found[aligned.metric, str(board.rows["dataset"][0])].append(separation(tasks))
    return {key: _joined(boards) for key, boards in found.items()}


def separation(tasks: ByTask) -> Separation:
    """What the images of the tasks of a board tell apart of k explainers; those without a value on a task are left out.

    The mean difference of two is that of their tasks, its variance the sum of the variances of the tasks' means.
    """
    known = np.all([np.isfinite(values).any(1) for values in tasks], axis=0)
    tasks = [values[known] for values in tasks]
    means = np.mean([np.nanmean(values, axis=1) for values in tasks], axis=0) if known.any() else np.zeros(0)
    order = np.argsort(means, kind="stable")
    first, second = np.triu_indices(len(order), 1)
    found = np.stack([_differences(of_task, order[first], order[second]) for of_task in tasks], axis=-1)
    told = found[0].min(-1) > 1
    neighbours, (counts, differences, variances) = (second == first + 1)[told], found[:, told]
    images, mean = counts.sum(-1), np.abs(differences.mean(-1))
    error = np.sqrt(sum(variances.T)) / len(tasks)
    separated = mean > stdtrit(images - len(tasks), (1 + LEVEL) / 2) * error
    scale = ndtri((1 + LEVEL) / 2) + ndtri(POWER)
    needed = [
        max(2.0, n * float(scale * e / m) ** 2) if m else np.inf
        for n, m, e in np.stack([images, mean, error], axis=1)[neighbours].tolist()
    ]
    size = sum(values.shape[1] for values in tasks)
    return Separation(int(separated.sum()), len(separated), tuple(needed), (size,))


def _differences(
    values: Float[np.ndarray, "k n"], a: Int[np.ndarray, "p"], b: Int[np.ndarray, "p"]
) -> Float[np.ndarray, "3 p"]:
    """Of each pair on a task: on how many images both have a value, the mean of B - A, and the variance of this mean.

    Below two images mean and variance are 0.
    """
    differences = values[b] - values[a]
    if values.shape[1] > 1 and np.isfinite(differences).all():
        n = values.shape[1]
        return np.stack([np.full(len(a), float(n)), differences.mean(1), differences.var(1, ddof=1) / n])
    known = (row[np.isfinite(row)] for row in differences)
    found = [(len(row), row.mean(), row.var(ddof=1) / len(row)) if len(row) > 1 else (len(row), 0, 0) for row in known]
    return np.array(found, float).reshape(-1, 3).T


def _joined(boards: Sequence[Separation]) -> Separation:
    return Separation(
        sum(board.separated for board in boards), sum(board.pairs for board in boards),
        tuple(number for board in boards for number in board.needed),
        tuple(number for board in boards for number in board.images),
    )  # fmt: skip
