"""The evidence of images, aligned into arrays: one stack for each metric of each board."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from partbench.functional.statistics import Evidence, Stack
from partbench.leaderboard.current import numbered

IMAGE = "image"  # the unit kind of rows of images


@dataclass
class Aligned:
    """The stack of one metric on one board; `labels` and `tasks` name its explainers and tasks.

    make: makes the stack when it is asked for, and again if it is asked for after its `release`.
    """

    board: str
    metric: str
    labels: tuple[str, ...]
    tasks: tuple[str, ...]
    make: Callable[[], Stack]
    held: Stack | None = None

    @property
    def stack(self) -> Stack:
        """The evidence."""
        if self.held is None:
            self.held = self.make()
        return self.held

    def release(self) -> None:
        """Free the memory of the stack."""
        self.held = None

    def evidence(self, label: str) -> dict[str, Evidence]:
        """The evidence of one explainer, by task, for `functional.statistics.compare`."""
        k, stack = self.labels.index(label), self.stack
        found = {}
        for t, task in enumerate(self.tasks):
            if stack.seeds[k, t]:
                columns = np.flatnonzero((stack.task == t) & stack.listed[k])
                images = tuple(stack.image[columns].tolist())
                found[task] = Evidence(images, stack.values[k, : stack.seeds[k, t]][:, columns].astype(float))
        return found


def aligned(rows: pd.DataFrame, images: pd.DataFrame) -> Iterator[Aligned]:
    """The stacks of the rows of `current`, sorted by board and metric.

    `images` is what `load_evidence` gives, or `load_results` with `aggregates_only=False`. Tasks of an explainer count
    if all its cells are scored. An explainer one of whose cells has no evidence of a metric, or evidence that is
    infinite, is left out of its stack, and so is an image on which no explainer has a value: the metric does not apply
    to it.
    """
    runs = _Runs.of(images)
    if not len(runs.keys) or rows.empty:
        return
    names = ("board", "metric", "label", "task")
    code = {name: pd.factorize(rows[name], sort=True)[0] for name in names}
    of_task = numbered([code["label"], code["task"], code["metric"]])
    covered = rows["scored"].groupby(of_task).transform("all").to_numpy(bool)
    run = np.where(covered, runs.find(rows), -1)
    row = numbered([code["board"], code["metric"], code["label"]])
    lacking = np.bincount(row, covered & (run < 0)) > 0
    order = np.lexsort((rows["seed"].to_numpy(), code["task"], code["label"], code["metric"], code["board"]))
    order = order[(covered & ~lacking[row])[order]]
    texts = {name: rows[name].to_numpy(object) for name in names}
    group = numbered([code["board"], code["metric"]])[order]
    for some in np.split(order, np.flatnonzero(np.diff(group)) + 1) if len(order) else []:
        label, task = (_Names.of(code[name][some], texts[name][some]) for name in ("label", "task"))
        board, metric = (str(texts[name][some[0]]) for name in ("board", "metric"))
        yield Aligned(board, metric, label.names, task.names, partial(_stacked, label, task, run[some], runs))


class _Names(NamedTuple):
    """Some names in their order, and the place of each row's among them."""

    names: tuple[str, ...]
    at: Int[np.ndarray, "n"]

    @staticmethod
    def of(codes: Int[np.ndarray, "n"], texts: np.ndarray) -> _Names:
        """From numbers of names, in the order of these."""
        _, first, at = np.unique(codes, return_index=True, return_inverse=True)
        return _Names(tuple(map(str, texts[first])), at)


def _stacked(label: _Names, task: _Names, run: Int[np.ndarray, "n"], runs: _Runs) -> Stack:
    """From the cells of one metric on one board, sorted by label, task and seed."""
    k, t = len(label.names), len(task.names)
    place = label.at * t + task.at
    first = np.flatnonzero(np.diff(place, prepend=-1))
    seed = np.arange(len(place)) - np.repeat(first, np.diff(first, append=len(place)))
    seeds = np.bincount(place, minlength=k * t).reshape(k, t)
    length = runs.stops[run] - runs.starts[run]
    row = np.arange(length.sum()) + np.repeat(runs.starts[run] - np.cumsum(length) + length, length)
    value, image = runs.value[row], runs.unit[row] + np.repeat(task.at * runs.images, length)  # numbered within tasks
    used = np.zeros(t * runs.images, bool)
    used[image[~np.isnan(value)]] = True
    columns, at = np.flatnonzero(used), (np.cumsum(used) - 1)[image]
    values = np.full((k, int(seeds.max()), len(columns)), np.nan, value.dtype)
    listed = np.zeros((k, len(columns)), bool)
    first_of_cell = (label.at * values.shape[1] + seed) * len(columns)  # places in the array when it is flat
    in_values, in_listed = (np.repeat(of, length) + at for of in (first_of_cell, label.at * len(columns)))
    if not (shown := used[image]).all():
        in_values, in_listed, value = in_values[shown], in_listed[shown], value[shown]
    values.ravel()[in_values] = value
    listed.ravel()[in_listed] = True
    return Stack(values, listed, seeds, *np.divmod(columns, runs.images))


@dataclass(frozen=True)
class _Runs:
    """Evidence in runs: the rows of one cell and metric stand together.

    unit, value: the image (as a code) and the value of each row. cells, metrics: the names behind codes. keys: the code
    of cell and metric of each run, sorted; starts, stops: its rows. images: how many codes of images there are.
    """

    unit: Int[np.ndarray, "n"]
    value: Float[np.ndarray, "n"]
    cells: pd.Index
    metrics: pd.Index
    keys: Int[np.ndarray, "r"]
    starts: Int[np.ndarray, "r"]
    stops: Int[np.ndarray, "r"]
    images: int

    @staticmethod
    def of(images: pd.DataFrame) -> _Runs:
        if "unit_kind" in images:
            images = images[images["unit_kind"] == IMAGE]
        (cell, cells), (metric, metrics), (unit, units) = (_codes(images[name]) for name in ("cell", "metric", "unit"))
        values, starts = images["value"].to_numpy(), _starts(cell, metric)
        keys = _keys(cell[starts], metric[starts], metrics)
        if len(np.unique(keys)) < len(keys):  # rows of a cell and metric do not stand together
            order = np.lexsort((metric, cell))
            cell, metric, unit, values = cell[order], metric[order], unit[order], values[order]
            starts = _starts(cell, metric)
            keys = _keys(cell[starts], metric[starts], metrics)
        stops = np.append(starts[1:], len(values))[: len(starts)]
        finite = ~np.logical_or.reduceat(np.isinf(values), starts) if len(starts) else np.zeros(0, bool)
        at = np.flatnonzero(finite)[np.argsort(keys[finite])]
        return _Runs(unit, values, cells, metrics, keys[at], starts[at], stops[at], len(units))

    def find(self, rows: pd.DataFrame) -> Int[np.ndarray, "n"]:
        """The run of each row, by its cell and metric; -1 for none."""
        cell, metric = self.cells.get_indexer(rows["cell"]), self.metrics.get_indexer(rows["metric"])
        key = _keys(cell, metric, self.metrics)
        place = np.minimum(np.searchsorted(self.keys, key), max(len(self.keys) - 1, 0))
        found = (cell >= 0) & (metric >= 0) & (self.keys[place] == key if len(self.keys) else False)
        return np.where(found, place, -1)


def _starts(cell: Int[np.ndarray, "n"], metric: Int[np.ndarray, "n"]) -> Int[np.ndarray, "r"]:
    """Where rows of another cell or metric begin."""
    changes = (cell[1:] != cell[:-1]) | (metric[1:] != metric[:-1])
    return np.flatnonzero(np.append(np.ones(min(len(cell), 1), bool), changes))


def _keys(cell: Int[np.ndarray, "n"], metric: Int[np.ndarray, "n"], metrics: pd.Index) -> Int[np.ndarray, "n"]:
    """A number for each cell and metric, from their codes."""
    return cell.astype(np.int64) * max(len(metrics), 1) + metric


def _codes(column: pd.Series) -> tuple[Int[np.ndarray, "n"], pd.Index]:
    """The code of each text, and the texts; those of a categorical are there already."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), column.cat.categories
    codes, names = pd.factorize(column, sort=True)
    return codes, pd.Index(names)
