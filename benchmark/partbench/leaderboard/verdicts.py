"""Verdicts of a board: which explainers are surely better than which, and than the floors.

Every pair of a family is compared image by image (`functional.statistics.compare_all`); p values are adjusted by Holm's
method over the pairs of a board and metric, in which an owner of several explainers weighs as one explainer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from partbench.functional.statistics import (
    Compared,
    Pairing,
    Pairings,
    bounded_interval,
    compare_all,
    dominated_by_far_out,
    holm,
    without_far_out,
)
from partbench.leaderboard.aligned import Aligned
from partbench.leaderboard.current import FLOOR

ALPHA = 0.05
A_BETTER, B_BETTER, UNDECIDED, NOT_COMPARABLE = "a better", "b better", "not separated", "not comparable"


@dataclass(frozen=True)
class Board:
    """One metric on one board.

    rows: columns of its rows of `means`, in the order of the labels of the stack. own: the value of each explainer as a
    difference to 0, with the variance of it. at: the places of the rows in the table.
    """

    rows: dict[str, np.ndarray]
    at: Int[np.ndarray, "k"]
    aligned: Aligned
    pairings: Pairings
    own: Compared

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds of the metric; older rows, which have none, do not widen them."""
        return float(self.rows["low_bound"].max()), float(self.rows["high_bound"].min())

    @property
    def directed(self) -> bool:
        """Whether every row says if higher or lower is better; without a direction nothing is ranked or tested."""
        return not pd.isna(self.rows["higher_is_better"]).any()

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1."""
        return 1 if self.pairings.higher_is_better else -1

    @property
    def interval(self) -> Float[np.ndarray, "k 2"]:
        """The 95 % interval of each value, within the bounds of the metric."""
        return bounded_interval(self.rows["value"], self.own.these, self.bounds)

    def compared(self, pairs: Int[np.ndarray, "p 2"]) -> Compared:
        """Pairs of explainers, by their places in `rows`."""
        return compare_all(self.aligned.stack, pairs, self.pairings)

    def tested(self, pairs: Int[np.ndarray, "p 2"]) -> Tested:
        """Pairs of explainers, by their places in `rows`, as verdicts have them.

        Images far out are looked for where the metric has no two finite bounds: only there a value can be absurd.
        """
        compared = self.compared(pairs)
        p, direction, far = compared.these.p, np.sign(compared.these.difference), np.zeros(len(pairs), bool)
        if not np.isfinite(self.bounds).all():
            far = dominated_by_far_out(self.aligned.stack, pairs)
        if far.any():
            these = without_far_out(self.aligned.stack, pairs[far], self.pairings).these
            p, direction = p.copy(), direction.copy()
            p[far], direction[far] = np.minimum(2 * these.p, 1), np.sign(these.difference)
        return Tested(compared, p, direction, far)

    def pairing(self, a: str, b: str) -> Pairing:
        """How `functional.statistics.compare` compares two explainers, named by their labels."""
        places = [self.aligned.labels.index(label) for label in (a, b)]
        seeds, network = self.aligned.stack.seeds[places], self.pairings.network[places]
        both = (seeds > 0).all(0)
        same = bool(network[0] > 0 and network[0] == network[1] and (seeds[0] == seeds[1])[both].all())
        fixed = self.pairings.deterministic[places].tolist()
        return Pairing((fixed[0], fixed[1]), same, self.pairings.higher_is_better, self.pairings.prior)

    def same_order(self, pairs: Int[np.ndarray, "p 2"], difference: Float[np.ndarray, "p"]) -> Bool[np.ndarray, "p"]:
        """Whether the means of pairs differ the way that their images do; also where a mean is not known.

        Means are of all images that an explainer has a value on, differences of those that both have.
        """
        of_means = np.diff(self.rows["value"][pairs[:, ::-1]], axis=1)[:, 0]
        return np.isnan(of_means) | (np.sign(of_means) == np.sign(difference))

    @cached_property
    def verdicts(self) -> Verdicts:
        """All pairs within each family."""
        return Verdicts.of(self)


class Tested(NamedTuple):
    """What is said of pairs of explainers: p (two-sided), and the sign of A - B.

    far_out: whether images far out hold most of the variance; the sign is then that of the differences without them,
    see `functional.statistics.without_far_out`, and p twice theirs: one of two tests was chosen. compared: of all
    images as they are.
    """

    compared: Compared
    p: Float[np.ndarray, "p"]
    direction: Float[np.ndarray, "p"]
    far_out: Bool[np.ndarray, "p"]


@dataclass(frozen=True)
class Verdicts:
    """All pairs of the families of a board and metric.

    pairs: places of A and B in the rows of the board. better: 1 if A is surely better, -1 if B is, else 0. one_seed:
    whether A or B has one seed. images: on how many each row of the board has a value. owner: whose each row is.
    """

    pairs: Int[np.ndarray, "p 2"]
    tested: Tested
    adjusted: Float[np.ndarray, "p"]
    better: Int[np.ndarray, "p"]
    one_seed: Bool[np.ndarray, "p"]
    images: Int[np.ndarray, "k"]
    owner: Int[np.ndarray, "k"]

    @property
    def compared(self) -> Compared:
        """The pairs on all images as they are."""
        return self.tested.compared

    @staticmethod
    def of(board: Board) -> Verdicts:
        """All pairs within each family. Pairs with an explainer of one seed are adjusted apart: they rank nothing.

        Surely better is an explainer with adjusted p below .05 and the better mean. Where one lacks a value of some
        images, the means may differ the other way than on the images that both have; then nothing is sure.
        """
        family, names = pd.factorize(board.rows["family"])
        pairs = np.stack(np.triu_indices(len(family), 1), axis=1)
        outside = (board.rows["family"] == "")[pairs].any(1)
        pairs = pairs[~outside & (family[pairs[:, 0]] == family[pairs[:, 1]])]
        tested, one_seed = board.tested(pairs), board.rows["one_seed"].astype(bool)[pairs].any(1)
        p = np.where(tested.compared.comparable, tested.p, np.nan)
        share = board.rows["share"].astype(float)[pairs].prod(1)
        adjusted, group = np.full(len(pairs), np.nan), family[pairs[:, 0]] + len(names) * one_seed
        for number in np.unique(group):
            adjusted[group == number] = holm(p[group == number], share[group == number])
        sure = (adjusted < ALPHA) & board.same_order(pairs, tested.direction)
        better = np.where(sure, tested.direction * board.sign, 0).astype(int)
        images, owner = board.aligned.stack.known.sum(1), pd.factorize(board.rows["owner"])[0]
        return Verdicts(pairs, tested, adjusted, better, one_seed, images, owner)

    def ranks(self, ranked: Bool[np.ndarray, "k"]) -> Float[np.ndarray, "k 2"]:
        """The rank interval [1 + surely better, n - surely worse] of each of the ranked rows; NaN for the others.

        Another owner counts once, however many explainers it has: as better if one of them is surely better, as worse
        if all are surely worse. Of two that cannot be compared, the one with a value on fewer images has no rank: else
        it would be beaten by nobody, and a value left out would be a way up.
        """
        apart = self.pairs[ranked[self.pairs].all(1) & ~self.compared.comparable]
        own = self.images[apart]
        ranked = ranked & ~np.isin(np.arange(len(ranked)), apart[own <= own[:, ::-1]])
        sure = ranked[self.pairs].all(1) & (self.better != 0)
        first, second = np.where(self.better[sure, None] > 0, self.pairs[sure], self.pairs[sure][:, ::-1]).T
        beats = np.zeros((len(ranked), len(ranked)), int)
        beats[first, second] = 1
        owners = np.unique(self.owner[ranked])
        members = ((self.owner == owners[:, None]) & ranked).astype(int)  # (owner, row)
        others = self.owner != owners[:, None]
        better = (others & (members @ beats > 0)).sum(0) + self._siblings(beats).sum(0)
        worse = (others & (members @ beats.T == members.sum(1, keepdims=True))).sum(0) + self._siblings(beats).sum(1)
        count = others.sum(0) + self._siblings(ranked.astype(int)[:, None]).sum(0)
        return np.where(ranked[:, None], np.stack([1 + better, count - worse], axis=1), np.nan)

    def _siblings(self, of_pairs: Int[np.ndarray, "k k"]) -> Int[np.ndarray, "k k"]:
        """What holds of a row and another of the same owner, else 0."""
        return np.where(self.owner[:, None] == self.owner, of_pairs, 0)


def beaten(board: Board, floors: int) -> Bool[np.ndarray, "k"]:
    """Which rows with a value are not surely better than every one of so many floors, each at one-sided .05.

    Floors are not asked. A floor without evidence is beaten by nobody.
    """
    value, sign = board.rows["value"], board.sign
    floor = (board.rows["control"] == FLOOR) & ~np.isnan(value)
    controls, others = np.flatnonzero(floor), np.flatnonzero(~floor & ~np.isnan(value))
    pairs = np.stack(np.meshgrid(others, controls, indexing="ij"), axis=-1).reshape(-1, 2)
    found = board.tested(pairs)
    above = (found.direction * sign > 0) & (found.p / 2 < ALPHA) & found.compared.comparable
    above &= (value[pairs[:, 0]] - value[pairs[:, 1]]) * sign > 0
    marked = np.zeros(len(value), bool)
    marked[others] = above.reshape(len(others), len(controls)).sum(1) < floors
    return marked
