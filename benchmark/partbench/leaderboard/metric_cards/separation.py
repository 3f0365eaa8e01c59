"""What the images at hand can tell apart, by the paired differences of explainers on each image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
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
    rows = sources.honest
    rows = rows[~rows["metric"].str.contains("@")]
    found: dict[tuple[str, str], list[Separation]] = defaultdict(list)
    by_cell = _values_by_cell(sources.evidence, rows)
    for (metric, dataset, _), of_board in rows.groupby(["metric", "dataset", "board"], sort=True):
        labels = sorted(set(of_board["label"]))
        tasks = []
        for _, own in of_board.groupby("task", sort=True):
            cells = zip(own["label"], (by_cell.get((cell, metric)) for cell in own["cell"]), strict=True)
            tasks.append(_by_image([(labels.index(label), known) for label, known in cells if known], len(labels)))
        found[str(metric), str(dataset)].append(separation(tasks))
    return {key: _joined(boards) for key, boards in found.items()}


Values = tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n"]]  # numbers of images, and a value of each


def _values_by_cell(evidence: pd.DataFrame, rows: pd.DataFrame) -> dict[tuple[str, str], Values]:
    """The evidence of each cell and metric of `rows`."""
    (cell, cells), (metric, metrics) = (pd.factorize(evidence[name]) for name in ("cell", "metric"))
    wanted = np.zeros((len(cells), len(metrics)), bool)
    at, of = pd.Index(cells).get_indexer(rows["cell"]), pd.Index(metrics).get_indexer(rows["metric"])
    wanted[at[(at >= 0) & (of >= 0)], of[(at >= 0) & (of >= 0)]] = True
    chosen = np.flatnonzero(wanted[cell, metric]) if len(evidence) else np.zeros(0, int)
    group = cell[chosen] * len(metrics) + metric[chosen]
    order = np.argsort(group, kind="stable")
    image = pd.factorize(evidence["unit"])[0][chosen][order]
    values = evidence["value"].to_numpy(float)[chosen][order]
    groups, starts = np.unique(group[order], return_index=True)
    pieces = zip(groups, np.split(image, starts[1:]), np.split(values, starts[1:]), strict=True) if len(groups) else ()
    return {(str(cells[g // len(metrics)]), str(metrics[g % len(metrics)])): (i, v) for g, i, v in pieces}


def _by_image(cells: Sequence[tuple[int, Values]], explainers: int) -> Float[np.ndarray, "k n"]:
    """Means over the seeds of each explainer, by image; NaN where a seed has no value, or none has the image."""
    images = np.unique(np.concatenate([image for _, (image, _) in cells])) if cells else np.zeros(0, int)
    total, count = np.zeros((explainers, len(images))), np.zeros((explainers, len(images)))
    for explainer, (image, values) in cells:
        at = np.searchsorted(images, image)
        total[explainer, at] += values
        count[explainer, at] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


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
