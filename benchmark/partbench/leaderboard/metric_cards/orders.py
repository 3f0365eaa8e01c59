"""Whether a metric puts explainers in the same order in two places: Kendall's tau, with an interval."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from partbench.leaderboard.boards import dataset_of, kind_of
from partbench.leaderboard.sources import LEAST_EXPLAINERS

LEVEL = 0.95


@dataclass(frozen=True)
class Agreement:
    """Mean tau-b over pairs of places, its 95 % interval (NaN where unknown), and what it is of."""

    tau: float
    low: float
    high: float
    pairs: int
    explainers: int


class PlaceScores(NamedTuple):
    """The scores of k explainers in p places, with the names of the places; NaN where there is none."""

    names: Sequence[str]
    scores: Float[np.ndarray, "k p"]


NONE = Agreement(np.nan, np.nan, np.nan, 0, 0)


def tau(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b; 0 where one side is constant, which orders nothing.

    Equal to scipy's `kendalltau`, which takes .7 ms a call for its p-value: cards need some ten thousand.
    """
    return _tau(_signs(np.asarray(a, float)), _signs(np.asarray(b, float)))


def _tau(one: Float[np.ndarray, "p"], other: Float[np.ndarray, "p"]) -> float:
    length = np.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / length if length else 0.0


def _signs(row: Float[np.ndarray, "k"]) -> Float[np.ndarray, "p"]:
    first, second = _every_pair(len(row))
    return np.sign(row[first] - row[second])


@functools.cache
def _every_pair(count: int) -> tuple[Int[np.ndarray, "p"], ...]:
    return np.triu_indices(count, 1)


def agreement(tables: Iterable[PlaceScores]) -> Agreement:
    """The mean tau over all pairs of places within each table, in which every explainer has all scores.

    The interval is Student's t on the jackknife that leaves out one place at a time: places are independent, their
    pairs are not. It is unknown with fewer than three places.
    """
    taus: dict[tuple[int, str, str], float] = {}
    explainers = 0
    for number, (names, scores) in enumerate(tables):
        if len(scores) >= LEAST_EXPLAINERS:
            explainers = max(explainers, len(scores))
            signs = dict(zip(names, map(_signs, scores.T), strict=True))
            for one, other in combinations(names, 2):
                taus[number, one, other] = _tau(signs[one], signs[other])
    if not taus:
        return NONE
    mean = float(np.mean(list(taus.values())))
    places = sorted({(number, name) for number, *pair in taus for name in pair})
    left = [_without(taus, place) for place in places]
    low = high = np.nan
    if len(places) > 2 and not np.isnan(left).any():
        n = len(places)
        error = np.sqrt((n - 1) / n * np.square(np.array(left) - np.mean(left)).sum())
        half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * error
        low, high = max(-1.0, mean - half), min(1.0, mean + half)
    return Agreement(mean, low, high, len(taus), explainers)


def _without(taus: dict[tuple[int, str, str], float], place: tuple[int, str]) -> float:
    rest = [value for (number, *pair), value in taus.items() if number != place[0] or place[1] not in pair]
    return float(np.mean(rest)) if rest else np.nan


def between_categories(rows: pd.DataFrame) -> Agreement:
    """Between the tasks of each board, on means over seeds; `rows` are honest ones of one metric and dataset."""
    return agreement(map(_complete, _places(rows, "board", "task").values()))


def between_seeds(rows: pd.DataFrame) -> Agreement:
    """Between the seeds of each task. Its interval counts the seeds of a task as places."""
    return agreement(map(_complete, _places(rows, "task", "seed").values()))


def board_means(rows: pd.DataFrame) -> PlaceScores:
    """The means of explainers over the tasks of each board; `rows` are honest ones of one metric."""
    boards = _places(rows, "board", "task")
    means = [scores.mean(1) for _, scores in boards.values()]
    return PlaceScores(list(boards), np.stack(means, axis=1) if means else np.empty((0, 0)))


def between_networks(means: PlaceScores, dataset: str) -> Agreement:
    """Between the boards of a dataset, each of which explains another network or other logits."""
    return agreement(_pairs(means, lambda one, other: dataset_of(one) == dataset_of(other) == dataset))


def between_datasets(means: PlaceScores) -> Agreement:
    """Between the boards of one kind of all datasets."""
    return agreement(
        _pairs(means, lambda one, other: kind_of(one) == kind_of(other) and dataset_of(one) != dataset_of(other))
    )


def metric_taus(rows: pd.DataFrame, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Mean tau over tasks between the orders of two metrics, or variants, for each wanted pair that tasks can tell.

    `rows` are honest ones. Scores are compared with higher as better: -1 is opposition.
    """
    wide = rows.groupby(["task", "label", "metric"], sort=True, observed=True)["score"].mean().unstack("metric")
    pairs = [pair for pair in wanted if {*pair} <= {*wide.columns}]
    taus: dict[tuple[str, str], list[float]] = {}
    for _, table in wide.groupby(level="task", sort=True):
        values = dict(zip(table.columns, table.to_numpy(float).T, strict=True))
        finite = {name: np.isfinite(column) for name, column in values.items()}
        signs = functools.cache(lambda name, known, of=values: _signs(of[name][np.frombuffer(known, bool)]))
        for one, other in pairs:
            known = finite[one] & finite[other]
            if known.sum() >= LEAST_EXPLAINERS:
                sides = (signs(name, known.tobytes()) for name in (one, other))
                taus.setdefault((one, other), []).append(_tau(*sides))
    return {pair: float(np.mean(of_pair)) for pair, of_pair in taus.items()}


def _places(rows: pd.DataFrame, group: str, place: str) -> dict[str, PlaceScores]:
    """Of each group, the scores of all explainers in its places; NaN for those that lack one of them."""
    (at, groups), (of, places), (row, labels) = (
        pd.factorize(rows[name], sort=True) for name in (group, place, "label")
    )
    shape = (len(groups), len(labels), len(places))
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (at, row, of), rows["score"].to_numpy(float))
    np.add.at(count, (at, row, of), 1)
    found = {}
    for name, sums, numbers in zip(groups, total, count, strict=True):
        columns = numbers.any(0)
        of_all = np.where(numbers[:, columns].all(1, keepdims=True), numbers[:, columns], np.nan)
        found[name] = PlaceScores(places[columns].tolist(), np.round(sums[:, columns] / of_all, 12))  # ties stay ties
    return found


def _complete(of: PlaceScores) -> PlaceScores:
    return PlaceScores(of.names, of.scores[~np.isnan(of.scores).any(1)])


def _pairs(means: PlaceScores, wanted: Callable[[str, str], bool]) -> Iterator[PlaceScores]:
    for pair in combinations(range(len(means.names)), 2):
        names = [means.names[at] for at in pair]
        if wanted(*names):
            yield _complete(PlaceScores(names, means.scores[:, pair]))
