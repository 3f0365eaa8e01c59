"""Pages that need a choice of the reader: A against B, and one metric against another. Their data lie inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from partbench.leaderboard.score import Score
from partbench.leaderboard.site.boards import BoardTable
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.templating import render
from partbench.leaderboard.verdicts import A_BETTER, B_BETTER, NOT_COMPARABLE, UNDECIDED


def interactive_pages(data: SiteData, boards: list[BoardTable], claims: bool) -> Iterator[tuple[str, str]]:
    """Compare and scatter."""
    scores = [score for score in data.scores if score.value is not None]
    main = [score for score in scores if score.main]
    known = _Numbered(data, boards, main)
    yield (
        "compare.html",
        render("compare.html", here="compare", data=known.data | {"pairs": known.pairs()}, claims=claims),
    )
    whole = [score for score in scores if "=" not in score.metric]  # not by part, nor by setting of a metric
    everything = _Numbered(data, boards, whole)
    points = everything.unranked() | {"costs": everything.costs()}
    yield "scatter.html", render("scatter.html", here="scatter", data=points, claims=claims)


class _Numbered:
    """Scores as lists of numbers, with names once."""

    def __init__(self, data: SiteData, boards: list[BoardTable], scores: Sequence[Score]) -> None:
        self._site = data
        self._boards = {board.name: at for at, board in enumerate(boards)}
        self._labels = {name: at for at, name in enumerate(sorted({score.label for score in scores}))}
        self._metrics = {name: at for at, name in enumerate(sorted({score.metric for score in scores}))}
        directions = {score.metric: score.higher_is_better for score in scores}
        controls = {score.label: score.control for score in scores}
        self.data: dict[str, Any] = {
            "boards": list(self._boards),
            "labels": [[name, controls[name]] for name in self._labels],
            "metrics": [[name, directions[name]] for name in self._metrics],
            "scores": [self._score(score) for score in scores],
        }

    def _score(self, score: Score) -> list[Any]:
        place = [self._boards[score.board], self._metrics[score.metric], self._labels[score.label]]
        return [*place, *map(_short, (score.value, score.low, score.high)), *(score.ranks or ()), score.of][:9]

    def unranked(self) -> dict[str, Any]:
        """The data without ranks."""
        return self.data | {"scores": [score[:6] for score in self.data["scores"]]}

    def costs(self) -> list[list[Any]]:
        """Board, label, then seconds to fit, seconds per image and most memory."""
        return [
            [self._boards[board], self._labels[label], *map(_short, (c.fit_seconds, c.image_seconds, c.peak_mb))]
            for label in self._labels
            for board, c in self._site.costs.get(label, {}).items()
        ]

    def pairs(self) -> list[list[Any]]:
        """Board, metric, a, b; difference, low, high, adjusted p, probability that a is better; verdict, one seed."""
        columns = (self._site.pairs[name].tolist() for name in _PAIR)
        return [
            [self._boards[board], self._metrics[metric], self._labels[a], self._labels[b], *map(_short, numbers),
             _VERDICTS.index(verdict), int(one_seed)]
            for board, metric, a, b, *numbers, verdict, one_seed in zip(*columns, strict=True)
            if a in self._labels and b in self._labels and metric in self._metrics
        ]  # fmt: skip


_PAIR = ("board", "metric", "a", "b", "difference", "low", "high", "p_adjusted", "better", "verdict", "one_seed")
_VERDICTS = (A_BETTER, B_BETTER, UNDECIDED, NOT_COMPARABLE)  # the order that site.js reads


def _short(value: Any) -> float | None:
    """Four significant digits."""
    return None if value is None or value != value else float(f"{value:.4g}")
