"""Verdicts of a board: which explainers are surely better than which, and than the floors.

Every pair of a family is compared image by image (`functional.statistics.compare`); p values are adjusted by Holm's
method over the pairs of a board and metric, in which an owner of several explainers weighs as one explainer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from partbench.functional.statistics import (
    Compared,
    Evidence,
    Known,
    Pairing,
    Prior,
    bounded_interval,
    compare_all,
    hidden,
    holm,
    prior_of,
    without_far_out,
)
from partbench.leaderboard.aligned import Aligned, aligned
from partbench.leaderboard.current import FLOOR, current
from partbench.leaderboard.families import with_families
from partbench.leaderboard.means import DIFFERENT, means, on_shared_tasks
from partbench.leaderboard.origins import OWN

ALPHA = 0.05
UNDECIDED, NOT_COMPARABLE = "not separated", "not comparable"
_VERDICTS = np.array([UNDECIDED, "a better", "b better"], object)  # at 0, 1 and -1
PAIR = ["board", "metric", "a", "b", "difference", "low", "high", "p", "p_adjusted", "better", "images", "of_images"]
PAIR += ["verdict", "one_seed", "far_out"]


Priors = Mapping[tuple[str, str], Prior | None]


@dataclass(frozen=True)
class Board:
    """One metric on one board.

    rows: columns of its rows of `means`, in the order of the labels of the stack. own: the value of each explainer as a
    difference to 0, with the variance of it. at: the places of the rows in the table.
    """

    rows: dict[str, np.ndarray]
    at: Int[np.ndarray, "k"]
    aligned: Aligned
    known: Known
    own: Compared

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds of the metric; older rows, which have none, do not widen them."""
        return float(self.rows["low_bound"].max()), float(self.rows["high_bound"].min())

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1."""
        return 1 if self.known.higher_is_better else -1

    @property
    def interval(self) -> Float[np.ndarray, "k 2"]:
        """The 95 % interval of each value, within the bounds of the metric."""
        return bounded_interval(self.rows["value"], self.own.these, self.bounds)

    @cached_property
    def _evidence(self) -> dict[str, dict[str, Evidence]]:
        return {}

    def evidence(self, label: str) -> dict[str, Evidence]:
        """The evidence of one explainer, by task; found once."""
        if label not in self._evidence:
            self._evidence[label] = self.aligned.evidence(label)
        return self._evidence[label]

    def compared(self, pairs: Int[np.ndarray, "p 2"]) -> Compared:
        """Pairs of explainers, by their places in `rows`."""
        return compare_all(self.aligned.stack, pairs, self.known)

    def tested(self, pairs: Int[np.ndarray, "p 2"]) -> Tested:
        """Pairs of explainers, by their places in `rows`, as verdicts have them.

        Images far out are looked for where the metric has no two finite bounds: only there a value can be absurd.
        """
        compared = self.compared(pairs)
        p, direction, far = compared.these.p, np.sign(compared.these.difference), np.zeros(len(pairs), bool)
        if not np.isfinite(self.bounds).all():
            far = hidden(self.aligned.stack, pairs)
        if far.any():
            these = without_far_out(self.aligned.stack, pairs[far], self.known).these
            p, direction = p.copy(), direction.copy()
            p[far], direction[far] = np.minimum(2 * these.p, 1), np.sign(these.difference)
        return Tested(compared, p, direction, far)

    def pairing(self, a: str, b: str) -> Pairing:
        """How `functional.statistics.compare` compares two explainers, named by their labels."""
        places = [self.aligned.labels.index(label) for label in (a, b)]
        seeds, network = self.aligned.stack.seeds[places], self.known.network[places]
        both = (seeds > 0).all(0)
        same = bool(network[0] > 0 and network[0] == network[1] and (seeds[0] == seeds[1])[both].all())
        fixed = self.known.deterministic[places].tolist()
        return Pairing((fixed[0], fixed[1]), same, self.known.higher_is_better, self.known.prior)

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


class Judged(NamedTuple):
    """The means of all rows, with families, and what the evidence says of each metric on each board.

    priors: what variances over seeds have in common, by dataset and metric.
    """

    table: pd.DataFrame
    boards: list[Board]
    priors: Priors = {}


def judged(
    rows: pd.DataFrame, images: pd.DataFrame, metrics: Collection[str] | None = None, priors: Priors | None = None
) -> Judged:
    """What standings and pairs are made of; `rows` are those of `load_results`, `images` those of `load_evidence`.

    Without `metrics` there are boards of all. On boards of one task, variances over seeds are shrunk towards those of
    all boards of the dataset (`prior_of`), or towards `priors` where they are given.
    """
    rows = on_shared_tasks(current(rows))
    table = with_families(means(rows))
    if table.empty:
        return Judged(table, [])
    columns = {name: table[name].to_numpy() for name in _USED}
    places = {name: dict(zip(columns["label"][at], at, strict=True)) for name, at in
              table.groupby(["board", "metric"], sort=False).indices.items()}  # fmt: skip
    wanted = rows if metrics is None else rows[rows["metric"].isin(set(metrics))]
    found = [_board(one, columns, places[one.board, one.metric]) for one in aligned(wanted, images)]
    priors = _priors(found) if priors is None else priors
    return Judged(table, list(_moderated(found, priors)), priors)


_USED = [
    "label",
    "dataset",
    "distribution",
    "control",
    "network",
    "value",
    "low_bound",
    "high_bound",
    "higher_is_better",
]
_USED += ["deterministic", "one_seed", "family", "ranked", "owner", "share"]


def _board(one: Aligned, columns: dict[str, np.ndarray], places: dict[str, int]) -> Board:
    at = np.array([places[label] for label in one.labels])
    rows = {name: column[at] for name, column in columns.items()}
    rows["value"] = rows["value"].astype(float)
    of_performer = np.isin(rows["network"].astype(str), ["", DIFFERENT])
    believed = ~of_performer & (rows["distribution"] == OWN)  # what others say they rest on pairs no seeds
    networks = np.where(believed, pd.factorize(rows["network"])[0] + 1, 0)
    higher = all(up for up in rows["higher_is_better"] if not pd.isna(up))
    known = Known(rows["deterministic"].astype(bool), networks, higher)
    return Board(rows, at, one, known, _to_zero(one, known))


def _to_zero(one: Aligned, known: Known) -> Compared:
    """Each explainer against an explainer of value 0."""
    count = len(one.labels)
    pairs = np.stack([np.arange(count), np.full(count, count)], axis=1)
    zero = Known(np.append(known.deterministic, True), np.append(known.network, 0), prior=known.prior)
    return compare_all(one.stack.with_zero(), pairs, zero)


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
            known = replace(board.known, prior=prior)
            yield replace(board, known=known, own=_to_zero(board.aligned, known))


def _kind(board: Board) -> tuple[str, str]:
    return str(board.rows["dataset"][0]), board.aligned.metric


def _prior(found: list[Board]) -> Prior | None:
    variances, degrees = zip(*(board.own.over_seeds for board in found), strict=True)
    return prior_of(np.concatenate(variances), np.concatenate(degrees))


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


def pairs(rows: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """A row per board, metric and pair of explainers that are compared with each other; see `families.with_families`.

    `rows` are those of `load_results`, `images` those of `load_evidence`. Columns: `a`, `b` (labels), `difference`
    (a - b) with its 95 % interval `low`, `high`; two-sided `p`; `p_adjusted`, Holm's over the pairs of the board and
    metric; `far_out`: both p are of the differences without images far out, see `Tested`; `better`, the probability
    that a is better on an image, ties counted half; `images`, on how many both have a value, of `of_images`;
    `verdict`: "a better", "b better", "not separated", or "not comparable" below 90 % of the
    images or half of those of a task; `one_seed`: it holds for these fits alone. The verdict is of adjusted p, the
    interval of a pair by itself.
    """
    return pairs_of(judged(rows, images))


def pairs_of(found: Judged) -> pd.DataFrame:
    """`pairs`, from what the evidence says."""
    tables = [_pair_rows(board) for board in found.boards if (board.rows["family"] != "").sum() > 1]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=PAIR)


def _pair_rows(board: Board) -> pd.DataFrame:
    found, compared = board.verdicts, board.verdicts.compared
    a, b = np.array(board.aligned.labels, object)[found.pairs].T
    span = board.bounds[1] - board.bounds[0]
    low, high = np.clip(compared.these.interval(), -span, span).T
    verdict = np.where(compared.comparable, _VERDICTS[found.better], NOT_COMPARABLE)
    return pd.DataFrame({
        "board": board.aligned.board, "metric": board.aligned.metric, "a": a, "b": b,
        "difference": compared.these.difference, "low": low, "high": high, "p": found.tested.p,
        "p_adjusted": found.adjusted, "better": compared.better, "images": compared.images,
        "of_images": compared.of_images, "verdict": verdict, "one_seed": found.one_seed,
        "far_out": found.tested.far_out,
    })  # fmt: skip
