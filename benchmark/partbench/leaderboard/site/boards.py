"""The boards: a table of explainers by metrics each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from partbench.leaderboard.boards import about
from partbench.leaderboard.current import UNRANKED
from partbench.leaderboard.score import Score, told_metrics
from partbench.leaderboard.site.data import SiteData


@dataclass(frozen=True)
class Line:
    """An explainer of a board with its scores, one for each metric of the board; None where there is no value."""

    explainer: str
    label: str
    control: str
    scores: Sequence[Score | None]

    @property
    def method(self) -> bool:
        """Whether it is neither a floor nor an ablation."""
        return self.control not in UNRANKED


@dataclass(frozen=True)
class BoardTable:
    """A board: its metrics with their directions, and a line for each explainer that has a value, methods first.

    Metrics that floors and ablations alone have are left out, unless there are no others.
    """

    name: str
    dataset: str
    performers: str
    about: str
    metrics: Sequence[tuple[str, bool | None]]
    lines: Sequence[Line]


def boards(data: SiteData) -> list[BoardTable]:
    """All boards, in the order of `data.boards`."""
    return [_board(name, data) for name in data.boards]


def rankings(scores: Sequence[Score]) -> list[Score]:
    """The scores of one metric on one board that have a value: by mean, best first; floors and ablations last."""
    sign = 1 if scores[-1].higher_is_better else -1
    shown = [(score, score.value) for score in scores if score.value is not None]
    shown.sort(key=lambda one: (one[0].ranks is None, not one[0].method, -sign * one[1], one[0].label))
    return [score for score, _ in shown]


def _board(name: str, data: SiteData) -> BoardTable:
    scores = data.by_board[name]
    shown = [score for score in scores if score.main and score.value is not None]
    told = told_metrics(shown)
    shown = [score for score in shown if score.metric in told]
    metrics = {score.metric: score.higher_is_better for score in sorted(shown, key=lambda score: score.metric)}
    lines: dict[str, dict[str, Score]] = {}
    for score in shown:
        lines.setdefault(score.label, {})[score.metric] = score
    made = [_line(found, list(metrics)) for found in lines.values()]
    made.sort(key=lambda line: (not line.method, line.label))
    return BoardTable(name, scores[0].dataset, data.performers[name], about(name), list(metrics.items()), made)


def _line(found: dict[str, Score], metrics: Sequence[str]) -> Line:
    one = next(iter(found.values()))
    return Line(one.explainer, one.label, one.control, [found.get(metric) for metric in metrics])
