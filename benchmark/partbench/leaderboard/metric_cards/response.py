"""What a metric makes of planted explanations: of the truth mixed with noise, of cheats, and of random weights."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from partbench.leaderboard.sources import Sources
from partbench.leaderboard.unsupported import METRICS_WITHOUT_MAPS, supports
from partbench.results.planted import CHEAT, INVERTED, ORACLE, RANDOM_WEIGHTS, TRAINED

TRUE, NOISE = "0", "1"
ROUNDING = 1e-6  # by which scores may differ and count as equal


@dataclass(frozen=True)
class Dose:
    """The scores of an oracle on one task, by level; `table` has a row per level, with the interval of the score."""

    task: str
    table: pd.DataFrame

    @cached_property
    def _ends(self) -> dict[str, tuple[float, float]]:
        """The interval of the score at each level."""
        low, high = (self.table[f"score_{end}"].tolist() for end in ("low", "high"))
        return dict(zip(self.table.index, zip(low, high, strict=True), strict=True))

    def surely_better(self, one: str, other: str) -> bool:
        """Whether the interval at one level is above that at another."""
        return self._ends[one][0] > self._ends[other][1] + ROUNDING

    @property
    def complete(self) -> bool:
        """Whether the truth, noise alone and the inverted truth have a score."""
        return {TRUE, NOISE, INVERTED} <= set(self.table.index)

    @cached_property
    def largest_rise(self) -> tuple[str, str] | None:
        """Two shares of noise, the larger of which is surely better, and by most; None without any."""
        levels = [level for level in self.table.index if level != INVERTED]
        pairs = [(less, more) for i, less in enumerate(levels) for more in levels[i + 1 :]]
        rising = [(less, more) for less, more in pairs if self.surely_better(more, less)]
        score = self.table["score"]
        return max(rising, key=lambda pair: float(score[pair[1]] - score[pair[0]]), default=None)


def doses(sources: Sources, metric: str) -> list[Dose]:
    """The dose and response of a metric, task by task."""
    by_task = sources.planted_of(ORACLE, metric).sort_values("place").groupby("task", sort=True)
    return [Dose(str(task), own.set_index("level")) for task, own in by_task]


def cheats(sources: Sources, metric: str, supported: Set[tuple[str, str]]) -> pd.DataFrame:
    """What cheats score: subject, task, value, score, `marked` (on a board), and `best` (better than any explainer).

    A cheat is marked if its interval is not above that of the best floor, or if the metric reads no maps and its maps
    are not `supported`.
    """
    own = sources.planted_of(CHEAT, metric)
    floors, honest = sources.best_floors.of_metric(metric), sources.best_honest.of_metric(metric)
    found = []
    for row in own.to_dict("records"):
        task = row["task"]
        above = task in floors.index and row["score_low"] > floors.loc[task, "score_high"] + ROUNDING
        trusted = metric not in METRICS_WITHOUT_MAPS or (row["subject"], task) in supported
        best = task in honest.index and row["score"] > honest.loc[task, "score"] + ROUNDING
        named = {name: row[name] for name in ("subject", "task", "value", "score")}
        found.append({**named, "marked": not (above and trusted), "best": bool(best)})
    return pd.DataFrame(found, columns=["subject", "task", "value", "score", "marked", "best"])


def supported_cheats(sources: Sources) -> set[tuple[str, str]]:
    """Cheats, by task, whose maps are better than every floor in a metric that supports them."""
    rows, found = sources.planted, set()
    rows = rows[(rows["planted"] == CHEAT) & rows["metric"].map(supports).astype(bool)]
    for metric, own in rows.groupby("metric"):
        floors = sources.best_floors.of_metric(str(metric))
        for subject, task, low in zip(own["subject"], own["task"], own["score_low"], strict=True):
            if task in floors.index and low > floors.loc[task, "score_high"]:
                found.add((subject, task))
    return found


def random_weights(sources: Sources, metric: str) -> pd.DataFrame:
    """Scores on networks with random weights: a row per explainer and task, a column per lowest random layer.

    `worse` says whether the interval with all weights random is below that of the trained network.
    """
    rows = sources.planted_of(RANDOM_WEIGHTS, metric).sort_values("place")
    found = []
    for (subject, task), own in rows.groupby(["subject", "task"], sort=True):
        by_level = own.set_index("level")
        if by_level.index[0] != TRAINED or len(by_level) < 2:
            continue
        worse = by_level["score_high"].iloc[-1] < by_level["score_low"].iloc[0]
        found.append({"explainer": subject, "task": task, "worse": bool(worse), **by_level["value"].to_dict()})
    levels = list(dict.fromkeys(rows["level"]))
    return pd.DataFrame(found, columns=["explainer", "task", *levels, "worse"])


def noticed(table: pd.DataFrame) -> float:
    """Share of the explainers and tasks of `random_weights` that score surely worse with all weights random."""
    return float(table["worse"].mean()) if len(table) else np.nan
