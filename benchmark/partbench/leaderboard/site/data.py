"""What the site shows, as plain data: scores with rank intervals, paired verdicts, costs. The one door to results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from partbench.leaderboard.costs import Cost, costs
from partbench.leaderboard.current import UNRANKED
from partbench.leaderboard.pairs import pairs_of
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.submitted import Submitted
from partbench.results.plain_text import printable
from partbench.results.schema import label

STEPS = 5


@dataclass(frozen=True, slots=True)
class Score:
    """One explainer in one metric on one board; numbers are None where there is none.

    `ranks` is the rank interval, `of` the number of ranked explainers, `axis` the range of the values and intervals
    that are shown beside each other. `higher_is_better` is None for what explainers report of themselves.
    """

    board: str
    dataset: str
    explainer: str
    variant: str
    metric: str
    higher_is_better: bool | None
    value: float | None
    low: float | None
    high: float | None
    ranks: tuple[int, int] | None
    of: int
    axis: tuple[float, float]
    control: str
    coverage: str
    seeds: str
    images: int
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


@dataclass(frozen=True)
class SiteData:
    """All that the pages are made of. `rows` are those of `standings.current`; `pairs` those of paired verdicts.

    `submitted`: what others reported, which no score depends on, and the history of it.
    """

    rows: pd.DataFrame
    scores: Sequence[Score]
    pairs: pd.DataFrame
    submitted: Submitted = field(default_factory=Submitted)

    @cached_property
    def boards(self) -> list[str]:
        """Names of boards, those of a dataset together, `multi` after the others."""
        names = {score.board: score.dataset for score in self.scores}
        return sorted(names, key=lambda board: (names[board], "/multi" in board, board))

    @cached_property
    def datasets(self) -> list[str]:
        """Names of datasets, sorted."""
        return sorted({score.dataset for score in self.scores})

    @cached_property
    def by_board(self) -> Mapping[str, list[Score]]:
        """The scores of each board."""
        return _grouped(self.scores, "board")

    @cached_property
    def by_metric(self) -> Mapping[str, list[Score]]:
        """The scores of each metric."""
        return _grouped(self.scores, "metric")

    @cached_property
    def by_explainer(self) -> Mapping[str, list[Score]]:
        """The scores of each explainer, all its variants."""
        return _grouped(self.scores, "explainer")

    @cached_property
    def costs(self) -> Mapping[str, Mapping[str, Cost]]:
        """What explainers cost, by label and board."""
        found: dict[str, dict[str, Cost]] = {}
        for board, name, cost in costs(self.rows):
            found.setdefault(name, {})[board] = cost
        return found

    @cached_property
    def verdicts(self) -> list[tuple[str, str, str]]:
        """The two labels and the verdict of each pair."""
        return list(zip(*(self.pairs[name] for name in ("a", "b", "verdict")), strict=True))

    @cached_property
    def distributions(self) -> Mapping[str, str]:
        """The package that each explainer is from, as its last row says."""
        last = self.rows.drop_duplicates("explainer", keep="last")
        return dict(zip(last["explainer"], last["distribution"], strict=True))

    @cached_property
    def unchanged(self) -> frozenset[str]:
        """Explainers that, with default options, explain the performer itself and no network trained in its place."""
        if "network" not in self.rows:
            return frozenset()
        own = self.rows.loc[self.rows["variant"] == "", ["explainer", "network"]]
        always = own["network"].eq("").groupby(own["explainer"]).all()
        return frozenset(always[always].index)


def site_data(sources: Sources) -> SiteData:
    """What results and the evidence of images say; texts become printable: no control or bidirectional characters."""
    scores = list(_scores(_printable(sources.standings)))
    return SiteData(_printable(sources.rows), scores, _printable(pairs_of(sources.judged)), sources.submitted)


_TEXTS = ["explainer", "variant", "task", "dataset", "category", "performer", "network", "metric", "reason"]
_TEXTS += ["distribution", "board", "label", "coverage", "seeds", "a", "b"]
_TEXTS_OF_SCORES = ("board", "dataset", "explainer", "variant", "metric", "control", "coverage", "seeds")


def _printable(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with texts that can be shown; a missing text stays missing."""
    changed = {}
    for name in (name for name in _TEXTS if name in rows):
        codes, texts = pd.factorize(rows[name])
        known = np.array([*(printable(str(text)) for text in texts), None], object)
        changed[name] = pd.Series(known[codes], rows.index, dtype=object)
    return rows.assign(**changed)


def _scores(table: pd.DataFrame) -> Iterator[Score]:
    """The rows of explainers that were scored on some task."""
    table = table[table["tasks"] > 0]
    groups = table.groupby(["board", "metric"], sort=False)
    number = table["rank_low"].notna().groupby([table["board"], table["metric"]]).transform("sum")
    ends = table[["value", "low", "high"]]
    table = table.assign(
        of=number, least=ends.min(axis=1).groupby(groups.ngroup()).transform("min"),
        most=ends.max(axis=1).groupby(groups.ngroup()).transform("max"),
    )  # fmt: skip
    for row in table.to_dict("records"):
        yield _score(row)


def _score(row: dict[Any, Any]) -> Score:
    ranks = None if pd.isna(row["rank_low"]) else (int(row["rank_low"]), int(row["rank_high"]))
    higher = row["higher_is_better"]
    texts = {name: str(row[name]) for name in _TEXTS_OF_SCORES}
    numbers = {name: _known(row[name]) for name in ("value", "low", "high")}
    marks = {name: bool(row[name]) for name in ("one_seed", "beaten_by_control", "unsupported")}
    said: dict[str, Any] = {**texts, **numbers, **marks}
    return Score(
        **said, higher_is_better=None if pd.isna(higher) else bool(higher), ranks=ranks, of=int(row["of"]),
        axis=(float(row["least"]), float(row["most"])), images=int(row["images"]),
    )  # fmt: skip


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _grouped(scores: Sequence[Score], name: str) -> dict[str, list[Score]]:
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(getattr(score, name), []).append(score)
    return found
