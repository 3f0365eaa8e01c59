"""A board as pages show it: its standings, what explainers cost, and what metrics are worth on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from partbench.leaderboard.boards import about, kind_of
from partbench.leaderboard.costs import Cost, costs
from partbench.leaderboard.limits import PlantedTruth, best_floors, truths
from partbench.leaderboard.markdown import escape
from partbench.leaderboard.score import Score
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.submission_sections import submission_sections
from partbench.leaderboard.uses import Uses
from partbench.results.schema import slug

NO_VERDICT = ""
MARKS = {"°": "one_seed", "†": "beaten_by_control", "‡": "unsupported"}


@dataclass(frozen=True)
class ShownBoard:
    """One board: `rows` of `current`, their `scores`, costs by label, and what the truth scores."""

    name: str
    dataset: str
    rows: pd.DataFrame
    scores: Sequence[Score]
    costs: Mapping[str, Cost]
    truths: Mapping[str, PlantedTruth]
    verdicts: Uses
    submitted: Sequence[str] = ()  # sections on rows that others submitted

    @property
    def path(self) -> str:
        """Where the page of its details lies, below the folder of all pages."""
        return f"{folder_of(self.dataset)}/{_place(self.name)}.md"

    @property
    def about(self) -> str:
        """What is explained of which network, in words."""
        names = "" if kind_of(self.name) == "multi" else f": {', '.join(sorted(set(self.rows['category'])))}"
        return f"Network explained: {escape(self.rows['performer'].iloc[0])}; {escape(about(self.name) + names)}."

    @cached_property
    def main(self) -> list[Score]:
        """Scores of metrics that have a direction, without their variants."""
        return [score for score in self.scores if score.main]

    @cached_property
    def metrics(self) -> dict[str, list[Score]]:
        """The scores of each metric that was scored on some task, by name."""
        found: dict[str, list[Score]] = {}
        for score in sorted(self.main, key=lambda score: score.metric):
            if score.tasks:
                found.setdefault(score.metric, []).append(score)
        return found

    @cached_property
    def floors(self) -> Mapping[str, Score]:
        """The best floor in each metric."""
        return best_floors(self.main)

    def verdict(self, metric: str) -> str:
        """What the card of a metric says of it on this dataset; NO_VERDICT without a card."""
        return self.verdicts.get((metric, self.dataset), NO_VERDICT)

    def metrics_of(self, verdict: str) -> list[str]:
        """The metrics of the board with this verdict."""
        return [metric for metric in self.metrics if self.verdict(metric) == verdict]


def shown_boards(sources: Sources, verdicts: Uses, dataset: str) -> list[ShownBoard]:
    """The boards of a dataset: single categories first, networks that tell all categories apart last."""
    of_board: dict[str, list[Score]] = {}
    for score in sources.scores:
        if score.dataset == dataset:
            of_board.setdefault(score.board, []).append(score)
    rows = sources.rows[sources.rows["dataset"] == dataset]
    spent: dict[str, dict[str, Cost]] = {}
    for board, name, cost in costs(rows):
        spent.setdefault(board, {})[name] = cost
    truth, of_rows = truths(sources), dict(list(rows.groupby("board", sort=True)))
    return [
        ShownBoard(
            name, dataset, of_rows[name], of_board[name], spent.get(name, {}), truth.get(name, {}), verdicts,
            submission_sections(sources.submitted.of(name)),
        )
        for name in sorted(of_board, key=lambda name: ("/multi" in name, name))
    ]  # fmt: skip


def folder_of(dataset: str) -> str:
    """The name of a dataset's page, and of the folder of its boards; no name of another page or folder."""
    name = slug(dataset)
    return f"{name}~" if name in _OTHERS else name


_OTHERS = ("claims", "metrics", "site")


def _place(board: str) -> str:
    """`multi.each` of `fauna/multi:*`; boards of a dataset have different places."""
    return slug(board.partition("/")[2].replace("*", "each", 1))


def name_of(score: Score) -> str:
    """The escaped label of an explainer."""
    return escape(score.label)


def marked(text: str, score: Score, bold: bool = True) -> str:
    """A value with the marks of its score, bold where none is surely better."""
    marks = [mark for mark, name in MARKS.items() if getattr(score, name)]
    return " ".join([f"**{text}**" if bold and score.best else text, *marks])
