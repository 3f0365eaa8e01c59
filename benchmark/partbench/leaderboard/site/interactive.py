"""Pages that need a choice of the reader: A against B, and one metric against another. Their data lie inside.

Both open on what can be concluded from: on metrics that rank explainers by their cards, where there are such.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from partbench.leaderboard.score import Score
from partbench.leaderboard.site.boards import BoardTable
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.templating import render
from partbench.leaderboard.uses import NOT_HERE, RANKS, SCREENS
from partbench.leaderboard.verdicts import A_BETTER, B_BETTER, NOT_COMPARABLE, UNDECIDED


def interactive_pages(data: SiteData, boards: list[BoardTable], claims: bool) -> Iterator[tuple[str, str]]:
    """Compare and scatter."""
    scores = [score for score in data.scores if score.value is not None]
    main = [score for score in scores if score.main]
    known = _Numbered(data, boards, main)
    compared = known.names() | {"open": known.most_compared(), "scores": known.values(), "pairs": known.pairs()}
    yield "compare.html", render("compare.html", here="compare", data=compared, claims=claims)
    whole = [score for score in scores if "=" not in score.metric]  # not by part, nor by setting of a metric
    everything = _Numbered(data, boards, whole)
    points = everything.names() | {"open": everything.least_alike(), "scores": everything.intervals()}
    points["costs"] = everything.costs()
    yield "scatter.html", render("scatter.html", here="scatter", data=points, claims=claims)


class _Numbered:
    """Scores as lists of numbers, with names once."""

    def __init__(self, data: SiteData, boards: list[BoardTable], scores: Sequence[Score]) -> None:
        self._site = data
        self._boards = {board.name: at for at, board in enumerate(boards)}
        self._labels = {name: at for at, name in enumerate(sorted({score.label for score in scores}))}
        self._metrics = {name: at for at, name in enumerate(sorted({score.metric for score in scores}))}
        self._scores = scores

    def names(self) -> dict[str, Any]:
        """Names of boards, labels with what each controls, metrics with their directions, and what these are good for.

        The last as rows of a board, a metric, and a place in the uses that site.js has; none of metrics without a card.
        """
        controls = {score.label: score.control for score in self._scores}
        directions = {score.metric: score.higher_is_better for score in self._scores}
        return {
            "boards": list(self._boards),
            "labels": [[name, controls[name]] for name in self._labels],
            "metrics": [[name, directions[name]] for name in self._metrics],
            "uses": self._uses(),
        }

    def _uses(self) -> list[list[int]]:
        told = {
            (self._boards[one.board], self._metrics[one.metric], self._site.use(one.metric, one.dataset))
            for one in self._scores
        }
        return [[board, metric, _USES.index(use)] for board, metric, use in sorted(told) if use in _USES]

    def most_compared(self) -> list[int]:
        """Two labels with verdicts in metrics that rank: those of which the one that is surely better less often is so
        most often; of several, those with the most verdicts. None without any."""
        wins: dict[tuple[str, str], dict[str, int]] = {}
        for (a, b, verdict), times in self._site.verdicts.items():
            if verdict in (A_BETTER, B_BETTER) and {a, b} <= self._labels.keys():
                wins.setdefault((a, b), {A_BETTER: 0, B_BETTER: 0})[verdict] += times
        most = min(wins, key=lambda pair: (-min(wins[pair].values()), -sum(wins[pair].values()), pair), default=())
        return [self._labels[label] for label in most]

    def least_alike(self) -> list[int]:
        """A board and two metrics that rank there, each by its place: of those that most methods have, the two with
        the least rank correlation. None without any."""
        found = []
        for board, scores in self._site.by_board.items():
            values: dict[str, dict[str, float]] = {}
            for one in scores:
                by_default = one.main and one.method and not one.variant
                if by_default and one.value is not None and self._site.ranks(one.metric, board):
                    values.setdefault(one.metric, {})[one.label] = one.value
            for across, up in itertools.combinations(sorted(values), 2):
                place = [self._boards[board], self._metrics[across], self._metrics[up]]
                found.append((*_likeness(values[across], values[up]), place))
        return min(found)[-1] if found else []

    def values(self) -> list[list[Any]]:
        """Board and metric, then label and value, label and value, and so on."""
        return _by_metric([*self._place(score), _shown(score.value)] for score in self._scores)

    def intervals(self) -> list[list[Any]]:
        """As values, each followed by its interval."""
        return _by_metric(
            [*self._place(score), *map(_short, (score.value, score.low, score.high))] for score in self._scores
        )

    def _place(self, score: Score) -> list[int]:
        return [self._boards[score.board], self._metrics[score.metric], self._labels[score.label]]

    def costs(self) -> list[list[Any]]:
        """Board, label, then seconds to fit, seconds per image and most memory."""
        return [
            [self._boards[board], self._labels[label], *map(_short, (c.fit_seconds, c.image_seconds, c.peak_mb))]
            for label in self._labels
            for board, c in self._site.costs.get(label, {}).items()
        ]

    def pairs(self) -> list[list[Any]]:
        """Board and metric, then of each pair: a, b, difference, low, high, adjusted p, how often a is better, verdict.

        The verdict is followed by 1 if it rests on one seed.
        """
        columns = (self._site.pairs[name].tolist() for name in _PAIR)
        return _by_metric(
            [self._boards[board], self._metrics[metric],
             [self._labels[a], self._labels[b], *map(_shown, (difference, low, high)), _short(p), _shown(better),
              _VERDICTS.index(verdict), *([1] if one_seed else [])]]
            for board, metric, a, b, difference, low, high, p, better, verdict, one_seed in zip(*columns, strict=True)
            if a in self._labels and b in self._labels and metric in self._metrics
        )  # fmt: skip


_PAIR = ("board", "metric", "a", "b", "difference", "low", "high", "p_adjusted", "better", "verdict", "one_seed")
_USES = (RANKS, SCREENS, NOT_HERE)  # the order that site.js reads
_VERDICTS = (A_BETTER, B_BETTER, UNDECIDED, NOT_COMPARABLE)  # the order that site.js reads


def _likeness(across: Mapping[str, float], up: Mapping[str, float]) -> tuple[int, float]:
    """The negative of how many explainers have both, and how alike their orders are: 0 to 1."""
    both = sorted(across.keys() & up.keys())
    ranks = [pd.Series([of[name] for name in both], dtype=float).rank() for of in (across, up)]
    told = all(side.nunique() > 1 for side in ranks)
    return -len(both), abs(ranks[0].corr(ranks[1])) if told else 1.0


def _by_metric(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows that begin with a board and a metric, joined to one for each board and metric."""
    found: dict[tuple[int, int], list[Any]] = {}
    for board, metric, *rest in rows:
        found.setdefault((board, metric), [board, metric]).extend(rest)
    return list(found.values())


def _short(value: Any) -> float | None:
    """Four significant digits."""
    return None if value is None or value != value else float(f"{value:.4g}")


def _shown(value: Any) -> float | None:
    """The digits that pages show: three decimals, or four digits of what is large."""
    return None if value is None or value != value else round(value, 3) if abs(value) < 10 else _short(value)
