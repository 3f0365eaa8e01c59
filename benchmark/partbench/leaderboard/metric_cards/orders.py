"""Whether a metric puts explainers in the same order in two places: Kendall's tau, with an interval."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from partbench.leaderboard.boards import kind_of
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


def between_columns(tables: Iterable[pd.DataFrame]) -> Agreement:
    """The mean tau over all pairs of columns within each table; rows are explainers, without gaps.

    The interval is Student's t on the jackknife that leaves out one column at a time: a column is an independent place,
    its pairs are not. It is unknown with fewer than three columns.
    """
    taus: dict[tuple[int, str, str], float] = {}
    explainers = 0
    for number, table in enumerate(tables):
        if len(table) >= LEAST_EXPLAINERS:
            explainers = max(explainers, len(table))
            signs = dict(zip(table.columns, map(_signs, table.to_numpy(float).T), strict=True))
            for one, other in combinations(table.columns, 2):
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
    return between_columns(_tables(rows, "board", "task"))


def between_seeds(rows: pd.DataFrame) -> Agreement:
    """Between the seeds of each task. Its interval counts the seeds of a task as places."""
    return between_columns(_tables(rows, "task", "seed"))


def between_networks(rows: pd.DataFrame) -> Agreement:
    """Between the boards of a dataset, each of which explains another network or other logits, on board means."""
    return between_columns(_pairs(_board_means(rows)))


def between_datasets(rows: pd.DataFrame) -> Agreement:
    """Between the boards of one kind of all datasets; `rows` are honest ones of one metric."""
    means = _board_means(rows)
    kinds = sorted(set(map(kind_of, means.columns)))
    alike = ([name for name in means if kind_of(name) == kind] for kind in kinds)
    tables = [table for names in alike for table in _pairs(means[names]) if _datasets(table) == 2]
    return between_columns(tables)


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


def _tables(rows: pd.DataFrame, group: str, place: str) -> list[pd.DataFrame]:
    """Of each group, explainers by places: those that have a score in all places."""
    (at, groups), (of, places), (row, labels) = (
        pd.factorize(rows[name], sort=True) for name in (group, place, "label")
    )
    shape = (len(groups), len(labels), len(places))
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (at, row, of), rows["score"].to_numpy(float))
    np.add.at(count, (at, row, of), 1)
    tables = []
    for sums, numbers in zip(total, count, strict=True):
        columns = numbers.any(0)
        complete = numbers[:, columns].all(1)
        means = np.round(sums[complete][:, columns] / numbers[complete][:, columns], 12)  # ties stay ties
        tables.append(pd.DataFrame(means, labels[complete], places[columns]))
    return tables


def _board_means(rows: pd.DataFrame) -> pd.DataFrame:
    boards = sorted(set(rows["board"]))
    tables = _tables(rows, "board", "task") if boards else []
    return pd.DataFrame({board: own.mean(axis=1) for board, own in zip(boards, tables, strict=True)})


def _pairs(means: pd.DataFrame) -> Iterator[pd.DataFrame]:
    values = means.to_numpy(float)
    for pair in combinations(range(len(means.columns)), 2):
        both = values[:, pair]
        yield pd.DataFrame(both[~np.isnan(both).any(1)], columns=means.columns[list(pair)])


def _datasets(table: pd.DataFrame) -> int:
    return len({name.partition("/")[0] for name in table.columns})
