"""What a value is worth on a board: that of the best floor costs nothing, that of the truth is a good one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from partbench.leaderboard.boards import board_of
from partbench.leaderboard.current import FLOOR
from partbench.leaderboard.metric_cards.response import TRUE
from partbench.leaderboard.score import Score
from partbench.leaderboard.sources import Sources
from partbench.results.planted import ORACLE


class PlantedTruth(NamedTuple):
    """The mean score of explanations made from the truth, over the tasks of a board where they were planted."""

    value: float
    tasks: tuple[str, ...]


def best_floors(scores: Iterable[Score]) -> dict[str, Score]:
    """The best floor in each metric, of the scores of one board; ties by name."""
    found: dict[str, Score] = {}
    for score in sorted(scores, key=lambda score: (score.explainer, score.variant)):
        if score.control == FLOOR and score.value is not None:
            best = found.get(score.metric)
            sign = 1 if score.higher_is_better else -1
            if best is None or best.value is None or sign * (score.value - best.value) > 0:
                found[score.metric] = score
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
