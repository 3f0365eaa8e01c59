"""Scores: the rows of standings as pages and site read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from partbench.leaderboard.current import UNRANKED
from partbench.results.schema import label

STEPS = 5


@dataclass(frozen=True, slots=True)
class Score:
    """One explainer in one metric on one board, see `standings.standings`; numbers are None where there is none.

    `ranks` is the rank interval, `of` the number of ranked explainers, `axis` the range of the values and intervals
    that are shown beside each other. `higher_is_better` is None for what explainers report of themselves.
    """

    board: str
    dataset: str
    performer: str
    explainer: str
    variant: str
    metric: str
    unit: str
    control: str
    coverage: str
    seeds: str
    higher_is_better: bool | None
    value: float | None
    low: float | None
    high: float | None
    ranks: tuple[int, int] | None
    of: int
    axis: tuple[float, float]
    tasks: int
    images: int
    categories: tuple[str, ...]
    best: bool
    one_seed: bool
    beaten_by_control: bool
    unsupported: bool

    @property
    def label(self) -> str:
        """The explainer with its options."""
        return label(self.explainer, self.variant)

    @property
    def main(self) -> bool:
        """Whether explainers are ranked by this metric: no variant of a metric, nothing that is self-reported."""
        return "@" not in self.metric and self.higher_is_better is not None

    @property
    def method(self) -> bool:
        """Whether it is neither a floor nor an ablation."""
        return self.control not in UNRANKED

    @property
    def first(self) -> bool:
        """Whether there are others, and none is surely better."""
        return self.ranks is not None and self.ranks[0] == 1 and self.of > 1

    @property
    def proven(self) -> bool:
        """Whether the score is evidence: surely better than every floor, and supported by maps (no † and no ‡)."""
        return not self.beaten_by_control and not self.unsupported

    @property
    def step(self) -> int:
        """5 (the best ranks) to 1 (the last), by the middle of the rank interval; 0 without others or evidence."""
        if self.ranks is None or self.of < 2 or not self.proven:
            return 0
        place = (sum(self.ranks) / 2 - 1) / (self.of - 1)
        return STEPS - min(int(place * STEPS), STEPS - 1)

    @property
    def rank(self) -> str:
        """The rank interval, `1–4`; "" without a rank."""
        if self.ranks is None:
            return ""
        low, high = self.ranks
        return str(low) if low == high else f"{low}–{high}"

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def arrow(self) -> str:
        """The direction of the metric, see `arrow`."""
        return arrow(self.higher_is_better)


def arrow(higher_is_better: bool | None) -> str:
    """`↑` where higher is better, `↓` where lower is; "" for what has no direction."""
    return "" if pd.isna(higher_is_better) else "↑" if higher_is_better else "↓"


_TEXTS = ["board", "dataset", "performer", "explainer", "variant", "metric", "unit", "control", "coverage", "seeds"]
_KNOWN = ["higher_is_better", "value", "low", "high"]
_REST = ["tasks", "images", "categories", "best", "one_seed", "beaten_by_control", "unsupported"]


def scores_of(standings: pd.DataFrame) -> list[Score]:
    """The scores of the rows of `standings.standings`, in their order."""
    texts = [map(str, standings[name].tolist()) for name in _TEXTS]
    known = [_or_none(standings[name]) for name in _KNOWN]
    rest = [standings[name].tolist() for name in _REST]
    return [Score(*row) for row in zip(*texts, *known, *_places(standings), *rest, strict=True)]


def told_metrics(scores: Iterable[Score]) -> set[str]:
    """The metrics in which methods have scores; of floors and ablations alone, all of theirs."""
    every = list(scores)
    return {score.metric for score in every if score.method} or {score.metric for score in every}


def _or_none(column: pd.Series) -> list[Any]:
    """Python's own values, None where they are missing."""
    absent = column.isna().to_numpy()
    return [None if missing else value for value, missing in zip(column.tolist(), absent.tolist(), strict=True)]


def _places(table: pd.DataFrame) -> Iterator[list[Any]]:
    """Of each row: its ranks, of how many on its board and metric, and the range of what is shown beside it."""
    low, high = (table[name].to_numpy(float, na_value=np.nan) for name in ("rank_low", "rank_high"))
    together = [table["board"].to_numpy(object), table["metric"].to_numpy(object)]
    ends = table.loc[table["tasks"] > 0, ["value", "low", "high"]].astype(float).reindex(table.index)
    of, least, most = (
        found.groupby(together).transform(how).tolist()
        for found, how in ((table["rank_low"].notna(), "sum"), (ends.min(axis=1), "min"), (ends.max(axis=1), "max"))
    )
    yield [None if np.isnan(one) else (int(one), int(other)) for one, other in zip(low, high, strict=True)]
    yield of
    yield list(zip(least, most, strict=True))
