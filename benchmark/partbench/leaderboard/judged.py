"""What results and the evidence of images make: the means of all rows, and a board for each metric that has evidence.

Standings, pairs, comparisons and claims are made from these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from partbench.freed_memory import return_freed_memory
from partbench.functional.statistics import Compared, Pairings, Prior, Stack, compare_all, prior_of
from partbench.leaderboard.aligned import Aligned, aligned
from partbench.leaderboard.current import current
from partbench.leaderboard.families import with_families
from partbench.leaderboard.means import DIFFERENT, means, on_shared_tasks
from partbench.leaderboard.verdicts import Board
from partbench.names import FIRST_PARTY

# Evidence of all rows, or a function that reads it for the rows of one board: then memory holds one board at a time.
Images: TypeAlias = pd.DataFrame | Callable[[pd.DataFrame], pd.DataFrame]
Priors = Mapping[tuple[str, str], Prior | None]  # by dataset and metric


class Judged(NamedTuple):
    """The means of all rows, with families, and what the evidence says of each metric on each board.

    priors: what variances over seeds have in common, by dataset and metric.
    """

    table: pd.DataFrame
    boards: list[Board]
    priors: Priors = {}


def judged(
    rows: pd.DataFrame,
    images: Images,
    metrics: Collection[str] | None = None,
    priors: Priors | None = None,
    held: Collection[str] | None = None,
) -> Judged:
    """What standings and pairs are made of.

    `rows` are those of `load_results`; `images` those of `load_evidence`, or a function that gives them for some rows,
    which is asked board by board. Without `metrics` there are boards of all. On boards of one task, variances over
    seeds are shrunk towards those of all boards of the dataset (`prior_of`), or towards `priors` where they are given.
    With `held`, evidence that a function gives stays in memory of these metrics; that of others is read again when it
    is asked for.
    """
    rows = on_shared_tasks(current(rows))
    table = with_families(means(rows))
    if table.empty:
        return Judged(table, [])
    columns = {name: table[name].to_numpy() for name in _READ}
    places = {name: dict(zip(columns["label"][at], at, strict=True)) for name, at in
              table.groupby(["board", "metric"], sort=False).indices.items()}  # fmt: skip
    wanted = rows if metrics is None else rows[rows["metric"].isin(set(metrics))]
    found = []
    for one in _aligned(wanted, images):
        found.append(_board(one, columns, places[one.board, one.metric]))
        if held is not None and one.metric not in held and len(one.tasks) > 1:
            one.release()
    priors = _priors(found) if priors is None else priors
    boards = list(_moderated(found, priors))
    for board in boards:
        if held is not None and board.aligned.metric not in held:
            board.aligned.release()
    return Judged(table, boards, priors)


def _aligned(rows: pd.DataFrame, images: Images) -> Iterator[Aligned]:
    if isinstance(images, pd.DataFrame):
        yield from aligned(rows, images)
        return
    rows = rows[[name for name in _OF_EVIDENCE if name in rows]]
    for _, of_board in rows.groupby("board", sort=True):
        return_freed_memory()
        for one in aligned(of_board, images(of_board)):
            one.held, one.make = one.stack, partial(_read, rows, images, one.board, one.metric)
            yield one


def _read(rows: pd.DataFrame, images: Callable[[pd.DataFrame], pd.DataFrame], board: str, metric: str) -> Stack:
    """The evidence of one metric on one board."""
    some = rows[(rows["board"] == board) & (rows["metric"] == metric)]
    return next(aligned(some, images(some))).stack


# Columns of rows that tell whose evidence it is.
_OF_EVIDENCE = ["board", "metric", "label", "task", "seed", "scored", "cell", "file"]
# Columns of `means` that a board reads.
_READ = ["label", "dataset", "distribution", "control", "network", "value", "low_bound", "high_bound"]
_READ += ["higher_is_better", "deterministic", "one_seed", "family", "ranked", "owner", "share"]


def _board(one: Aligned, columns: dict[str, np.ndarray], places: dict[str, int]) -> Board:
    at = np.array([places[label] for label in one.labels])
    rows = {name: column[at] for name, column in columns.items()}
    rows["value"] = rows["value"].astype(float)
    of_performer = np.isin(rows["network"].astype(str), ["", DIFFERENT])
    believed = ~of_performer & (rows["distribution"] == FIRST_PARTY)  # what others say they rest on pairs no seeds
    networks = np.where(believed, pd.factorize(rows["network"])[0] + 1, 0)
    higher = all(up for up in rows["higher_is_better"] if not pd.isna(up))
    pairings = Pairings(rows["deterministic"].astype(bool), networks, higher)
    return Board(rows, at, one, pairings, _to_zero(one, pairings))


def _to_zero(one: Aligned, pairings: Pairings) -> Compared:
    """Each explainer against an explainer of value 0."""
    count = len(one.labels)
    pairs = np.stack([np.arange(count), np.full(count, count)], axis=1)
    return compare_all(one.stack.with_zero(), pairs, pairings.with_zero())


def _priors(found: list[Board]) -> Priors:
    of_kind: dict[tuple[str, str], list[Board]] = {}
    for board in found:
        of_kind.setdefault(_kind(board), []).append(board)
    return {kind: _prior(some) for kind, some in of_kind.items()}


def _moderated(found: list[Board], priors: Priors) -> Iterator[Board]:
    """The same boards, those of one task with what the variances of their dataset and metric have in common."""
    for board in found:
        prior = priors.get(_kind(board))
        if prior is None or len(board.aligned.tasks) > 1:
            yield board
        else:
            pairings = replace(board.pairings, prior=prior)
            yield replace(board, pairings=pairings, own=_to_zero(board.aligned, pairings))


def _kind(board: Board) -> tuple[str, str]:
    return str(board.rows["dataset"][0]), board.aligned.metric


def _prior(found: list[Board]) -> Prior | None:
    variances, degrees = zip(*(board.own.over_seeds for board in found), strict=True)
    return prior_of(np.concatenate(variances), np.concatenate(degrees))
