"""What the images at hand can tell apart, by the paired differences of explainers on each image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float
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
        aligned, stack = board.aligned, board.aligned.stack
        ranked = "@" not in aligned.metric and board.directed
        compared = [place for place, label in enumerate(aligned.labels) if (aligned.board, label) in honest]
        if ranked and compared:
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
    separated, pairs, needed = 0, 0, []
    for a, b in combinations(range(len(order)), 2):
        differences = [of_task[np.isfinite(of_task)] for of_task in (t[order[b]] - t[order[a]] for t in tasks)]
        if min(map(len, differences)) < 2:
            continue
        n = sum(map(len, differences))
        mean = abs(float(np.mean([of_task.mean() for of_task in differences])))
        error = np.sqrt(sum(of_task.var(ddof=1) / len(of_task) for of_task in differences)) / len(differences)
        pairs += 1
        separated += int(mean > stdtrit(n - len(differences), (1 + LEVEL) / 2) * error)
        if b == a + 1:
            scale = ndtri((1 + LEVEL) / 2) + ndtri(POWER)
            needed.append(max(2.0, n * float(scale * error / mean) ** 2) if mean else np.inf)
    return Separation(separated, pairs, tuple(needed), (sum(values.shape[1] for values in tasks),))


def _joined(boards: Sequence[Separation]) -> Separation:
    return Separation(
        sum(board.separated for board in boards), sum(board.pairs for board in boards),
        tuple(number for board in boards for number in board.needed),
        tuple(number for board in boards for number in board.images),
    )  # fmt: skip
