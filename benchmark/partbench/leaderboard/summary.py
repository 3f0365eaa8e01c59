"""What a run ends with: each explainer against the floors and against the best published one, metric by metric."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from partbench.functional.statistics import holm
from partbench.leaderboard.current import FLOOR, UNRANKED
from partbench.leaderboard.families import OF_THE_NETWORK
from partbench.leaderboard.judged import judged
from partbench.leaderboard.uses import NOT_HERE, RANKS, SCREENS, Uses
from partbench.leaderboard.verdicts import ALPHA, NOT_COMPARABLE, UNDECIDED, Board
from partbench.leaderboard.with_published import JoinedResults

_ORDER = {RANKS: 0, SCREENS: 1}
_VERBS = {RANKS: " that rank{}", SCREENS: " that screen{} (none ranks here)"}


@dataclass(frozen=True)
class Against:
    """The best of some explainers in a metric, and what the images say of an explainer beside it.

    verdict: "better" (than every floor, if these are floors), "worse", "not separated" or "not comparable".
    """

    label: str
    value: float
    better: bool
    p: float
    verdict: str = UNDECIDED


@dataclass(frozen=True)
class RunLine:
    """An explainer in a metric on some tasks of a board.

    use: what the metric is good for on the dataset, "" if that is not known. floor, published: None where there is
    none. one_seed: the verdicts hold for these fits only.
    """

    board: str
    tasks: tuple[str, ...]
    explainer: str
    metric: str
    use: str
    higher_is_better: bool
    value: float
    low: float
    high: float
    one_seed: bool
    floor: Against | None
    published: Against | None


def summary(found: JoinedResults, own: Collection[str], uses: Uses) -> list[RunLine]:
    """A line for each board, explainer of `own` (labels) and metric; metrics that rank come first, then those that
    screen.

    `uses` says what a metric is good for, by metric and dataset. Left out are metrics that are of no use there,
    variants of metrics ("@"), floors, and lines without anything to compare with. An explainer is better than the
    floors if it is better than each of them: p is the largest. It is worse than the best of several if the p of that
    comparison, times their number, is small. p values are adjusted over the comparisons of all lines (Holm).
    """
    lines = [line for board in judged(found.rows, found.images).boards for line in _lines(board, found, own, uses)]
    sides = [side for line in lines for side in (line.floor, line.published) if side is not None]
    adjusted = iter(holm(np.array([side.p for side in sides])))
    lines = [
        replace(line, floor=_decided(line.floor, adjusted), published=_decided(line.published, adjusted))
        for line in lines
    ]
    return sorted(lines, key=lambda line: (line.board, line.explainer, _ORDER.get(line.use, len(_ORDER)), line.metric))


def _decided(side: Against | None, adjusted: Iterator[float]) -> Against | None:
    if side is None:
        return None
    p = float(next(adjusted))
    if np.isnan(p):
        return replace(side, verdict=NOT_COMPARABLE)
    word = "better" if side.better else "worse"
    return replace(side, p=p, verdict=word if p < ALPHA else UNDECIDED)


def _lines(board: Board, found: JoinedResults, own: Collection[str], uses: Uses) -> Iterator[RunLine]:
    metric, rows = board.aligned.metric, board.rows
    use = uses.get((metric, str(rows["dataset"][0])), "")
    if use == NOT_HERE or "@" in metric or not board.directed:
        return
    known, control = ~np.isnan(rows["value"]), rows["control"]
    floors = known & (control == FLOOR)
    published = known & np.isin(rows["label"].astype(str), sorted(found.published)) & ~np.isin(control, UNRANKED)
    interval = board.interval
    for me in np.flatnonzero(known & np.isin(rows["label"].astype(str), list(own)) & (control != FLOOR)).tolist():
        # Values of another network are no measure of how well the performer is explained.
        comparable = rows["network"] == rows["network"][me] if metric in OF_THE_NETWORK else True
        sides = _against(board, me, floors, every=True), _against(board, me, published & comparable, every=False)
        low, high = map(float, interval[me])
        about = board.aligned.board, board.aligned.tasks, str(rows["label"][me]), metric, use, board.sign > 0
        if any(sides):
            yield RunLine(*about, float(rows["value"][me]), low, high, bool(rows["one_seed"][me]), *sides)


def _against(board: Board, me: int, others: Bool[np.ndarray, "k"], every: bool) -> Against | None:
    """Against the best of the others; with `every`, to be better is to be better than each of them."""
    at = np.flatnonzero(others & (np.arange(len(others)) != me))
    if not len(at):
        return None
    tested = board.tested(np.stack([np.full(len(at), me), at], axis=1))
    values = board.rows["value"]
    gain, comparable = tested.direction * board.sign, tested.compared.comparable
    ahead = (values[me] - values[at]) * board.sign
    best = int(np.argmin(ahead))
    better = bool(ahead[best] > 0)
    asked = slice(None) if better and every else slice(best, best + 1)
    p = np.where(comparable & ((gain > 0) == better) & (gain != 0), tested.p, 1.0)[asked].max()
    p = p if better else min(1.0, p * len(at))
    shown = float(p) if comparable[best] else np.nan
    return Against(str(board.rows["label"][at[best]]), float(values[at[best]]), better, shown)


def sentences(lines: list[RunLine]) -> Iterator[str]:
    """One sentence for each board and explainer, of the metrics that rank, or if there are none of the others."""
    for who in dict.fromkeys((line.board, line.explainer) for line in lines):
        mine = [line for line in lines if (line.board, line.explainer) == who]
        first = mine[0].use
        yield f"{who[1]}: {'; '.join(_parts([line for line in mine if line.use == first]))}."


def _parts(lines: list[RunLine]) -> Iterator[str]:
    floors = [line.floor for line in lines if line.floor]
    if floors:
        better = sum(side.verdict == "better" for side in floors)
        yield f"better than every floor in {better} of {_counted(len(floors), lines[0].use)}"
    sides = [(line.metric, line.published) for line in lines if line.published]
    if sides:
        ahead = [f"{metric} ({side.label})" for metric, side in sides if side.verdict == "worse"]
        behind = [f"{metric} ({side.label})" for metric, side in sides if side.verdict == "better"]
        if ahead:
            yield f"the best published row is surely better in {', '.join(ahead)}"
        if behind:
            yield f"surely better than the best published row in {', '.join(behind)}"
        if not ahead and not behind:
            yield "not separated from the best published row in any of them"


def _counted(count: int, use: str) -> str:
    noun = "metric" if count == 1 else "metrics"
    return f"{count} {noun}" + _VERBS.get(use, "").format("s" if count == 1 else "")
