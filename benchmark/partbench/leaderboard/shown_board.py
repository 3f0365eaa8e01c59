"""A board as pages show it: its standings, what explainers cost, and what metrics are worth on it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from partbench.leaderboard.boards import about, kind_of
from partbench.leaderboard.costs import Cost, costs
from partbench.leaderboard.current import UNRANKED
from partbench.leaderboard.limits import PlantedTruth, best_floors, truths
from partbench.leaderboard.markdown import escape
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.submission_sections import submission_sections
from partbench.leaderboard.uses import NOT_HERE, RANKS, SCREENS, Uses
from partbench.results.schema import label, slug

Row = Mapping[Hashable, Any]
NO_VERDICT = ""
ORDER = (RANKS, NO_VERDICT, SCREENS, NOT_HERE)
MARKS = {"°": "one_seed", "†": "beaten_by_control", "‡": "unsupported"}


@dataclass(frozen=True)
class ShownBoard:
    """One board: `rows` of `current`, their `standings` as records, costs by label, and what the truth scores."""

    name: str
    dataset: str
    rows: pd.DataFrame
    standings: Sequence[Row]
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
    def main(self) -> list[Row]:
        """Scores of metrics that have a direction, without their variants."""
        return [row for row in self.standings if is_main(row)]

    @cached_property
    def metrics(self) -> dict[str, list[Row]]:
        """The rows of each metric that was scored on some task, by name."""
        found: dict[str, list[Row]] = {}
        for row in sorted(self.main, key=lambda row: row["metric"]):
            if row["tasks"]:
                found.setdefault(row["metric"], []).append(row)
        return found

    @cached_property
    def floors(self) -> Mapping[str, Row]:
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
    of_board: dict[str, list[Row]] = {}
    table = sources.standings
    for row in table[table["dataset"] == dataset].to_dict("records"):
        of_board.setdefault(str(row["board"]), []).append(row)
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


def is_main(row: Row) -> bool:
    """Whether a row is of a metric that has a direction, and of no variant of it."""
    return "@" not in row["metric"] and not pd.isna(row["higher_is_better"])


def name_of(row: Row) -> str:
    """The escaped label of a row's explainer."""
    return escape(label(row["explainer"], row["variant"]))


def is_unranked(row: Row) -> bool:
    """Whether a row is of a floor or an ablation."""
    return row["control"] in UNRANKED


def arrow(row: Row) -> str:
    """The direction of a row's metric; "" for what has none."""
    return {True: "↑", False: "↓"}.get(row["higher_is_better"], "")


def marked(text: str, row: Row, bold: bool = True) -> str:
    """A value with the marks of its row, bold where none is surely better."""
    marks = [mark for mark, column in MARKS.items() if row[column]]
    return " ".join([f"**{text}**" if bold and row["best"] else text, *marks])


def ranks(row: Row) -> str:
    """The rank interval, `1–4`; "" without a rank."""
    if pd.isna(row["rank_low"]):
        return ""
    low, high = int(row["rank_low"]), int(row["rank_high"])
    return str(low) if low == high else f"{low}–{high}"


def half_width(row: Row) -> float:
    """Half the width of a row's interval; NaN without one."""
    return np.nan if pd.isna(row["low"]) else (row["high"] - row["low"]) / 2
