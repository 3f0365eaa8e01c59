"""What a value is worth on a board: that of the best floor costs nothing, that of the truth is a good one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

from partbench.leaderboard.boards import board_of
from partbench.leaderboard.current import FLOOR
from partbench.leaderboard.metric_cards.response import TRUE
from partbench.leaderboard.sources import Sources
from partbench.results.planted import ORACLE

Row = Mapping[Hashable, Any]


class PlantedTruth(NamedTuple):
    """The mean score of explanations made from the truth, over the tasks of a board where they were planted."""

    value: float
    tasks: tuple[str, ...]


def best_floors(standings: Iterable[Row]) -> dict[str, Row]:
    """The row of the best floor in each metric, from the rows of `standings` of one board; ties by name."""
    found: dict[str, Row] = {}
    for row in sorted(standings, key=lambda row: (row["explainer"], row["variant"])):
        if row["control"] == FLOOR and row["value"] == row["value"]:  # not NaN
            best = found.get(row["metric"])
            if best is None or (
                row["value"] > best["value"] if row["higher_is_better"] else row["value"] < best["value"]
            ):
                found[row["metric"]] = row
    return found


def truths(sources: Sources) -> dict[str, dict[str, PlantedTruth]]:
    """What the truth scores, by board and metric; boards without a planted run are missing."""
    rows = sources.planted
    rows = rows[(rows["planted"] == ORACLE) & (rows["level"] == TRUE)]
    found: dict[str, dict[str, PlantedTruth]] = {}
    for (board, metric), own in rows.groupby([rows["task"].map(board_of), "metric"], sort=True):
        found.setdefault(str(board), {})[str(metric)] = PlantedTruth(
            own["value"].mean(), tuple(sorted(set(own["task"])))
        )
    return found
