"""What the site shows, as plain data: scores with rank intervals, paired verdicts, costs. The one door to results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from partbench.leaderboard.boards import dataset_of
from partbench.leaderboard.costs import Cost, costs
from partbench.leaderboard.pairs import pairs_of
from partbench.leaderboard.score import Score
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.submitted import Submitted
from partbench.leaderboard.unsupported import METRICS_WITHOUT_MAPS
from partbench.leaderboard.uses import RANKS, Uses
from partbench.results.plain_text import printable

_OF_MAPS = ["explainer", "variant", "dataset", "task", "seed", "cell", "metric", "value", "higher_is_better"]


@dataclass(frozen=True)
class SiteData:
    """All that the pages are made of. `rows` are those of `standings.current`; `pairs` those of paired verdicts.

    `submitted`: what others reported, which no score depends on, and the history of it. `uses`: what metrics are good
    for, as their cards say, by metric and dataset.
    """

    rows: pd.DataFrame
    scores: Sequence[Score]
    pairs: pd.DataFrame
    submitted: Submitted = field(default_factory=Submitted)
    uses: Uses = field(default_factory=dict)

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
    def ranked_metrics(self) -> list[str]:
        """Names of the metrics that have a page: those by which some explainer is ranked, sorted."""
        return sorted({score.metric for score in self.scores if score.main and score.value is not None})

    def use(self, metric: str, dataset: str) -> str:
        """What a metric, or the one that it is a variant of, is good for on a dataset; "" without a card."""
        return self.uses.get((metric.partition("@")[0], dataset), "")

    def ranks(self, metric: str, board: str) -> bool:
        """Whether an order in this metric is evidence on a board; a metric without a card is taken to rank."""
        return self.use(metric, dataset_of(board)) in (RANKS, "")

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
    def verdicts(self) -> Counter[tuple[str, str, str]]:
        """How often two labels have a verdict, over all boards and the metrics that rank there."""
        columns = (self.pairs[name].tolist() for name in ("board", "metric", "a", "b", "verdict"))
        return Counter(
            (a, b, verdict) for board, metric, a, b, verdict in zip(*columns, strict=True) if self.ranks(metric, board)
        )

    @cached_property
    def distributions(self) -> Mapping[str, str]:
        """The package that each explainer is from, as its last row says."""
        last = self.rows.drop_duplicates("explainer", keep="last")
        return dict(zip(last["explainer"], last["distribution"], strict=True))

    @cached_property
    def performers(self) -> Mapping[str, str]:
        """The networks that each board explains."""
        found = self.rows[["board", "performer"]].drop_duplicates().sort_values("performer")
        return {str(board): ", ".join(names) for board, names in found.groupby("board")["performer"]}

    @cached_property
    def bounds(self) -> Mapping[str, tuple[float | None, float | None]]:
        """The bounds of each metric, as the last rows that have any say."""
        last = self.rows.groupby("metric", sort=False)[["low_bound", "high_bound"]].last()
        ends = ([None if np.isnan(end) else end for end in last[name].tolist()] for name in last)
        return dict(zip(last.index, zip(*ends, strict=True), strict=True))

    @cached_property
    def unchanged(self) -> frozenset[str]:
        """Explainers that, with default options, explain the performer itself and no network trained in its place."""
        if "network" not in self.rows:
            return frozenset()
        own = self.rows.loc[self.rows["variant"] == "", ["explainer", "network"]]
        always = own["network"].eq("").groupby(own["explainer"]).all()
        return frozenset(always[always].index)

    @cached_property
    def rows_of_maps(self) -> pd.DataFrame:
        """Rows of cells with default options that have maps, in metrics that rank there or read maps, with their `use`.

        By these the pictures of an explainer are chosen.
        """
        rows = self.rows[self.rows["scored"] & (self.rows["variant"] == "") & self.rows["higher_is_better"].notna()]
        rows = rows.loc[~rows["metric"].str.contains("@"), _OF_MAPS]
        of_maps = ~rows["metric"].isin(METRICS_WITHOUT_MAPS)
        rows = rows.assign(use=[self.use(*one) for one in zip(rows["metric"], rows["dataset"], strict=True)])
        has_maps = rows["cell"].isin(rows.loc[of_maps, "cell"])
        return rows[has_maps & (of_maps | (rows["use"] == RANKS))]


def site_data(sources: Sources, uses: Uses = MappingProxyType({})) -> SiteData:
    """What results and the evidence of images say; texts become printable: no control or bidirectional characters."""
    scores = [_printable_score(score) for score in sources.scores if score.tasks]
    return SiteData(_printable(sources.rows), scores, _printable(pairs_of(sources.judged)), sources.submitted, uses)


_TEXTS = ["explainer", "variant", "task", "dataset", "category", "performer", "network", "metric", "reason"]
_TEXTS += ["distribution", "board", "label", "coverage", "seeds", "a", "b"]
_TEXTS_OF_SCORES = ("board", "dataset", "explainer", "variant", "metric", "coverage", "seeds")


def _printable_score(score: Score) -> Score:
    texts = {name: getattr(score, name) for name in _TEXTS_OF_SCORES}
    changed: dict[str, Any] = {name: shown for name, text in texts.items() if (shown := _text(text)) != text}
    return replace(score, **changed) if changed else score


_text = cache(printable)


def _printable(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with texts that can be shown; a missing text stays missing."""
    changed = {}
    for name in (name for name in _TEXTS if name in rows):
        codes, texts = pd.factorize(rows[name])
        known = np.array([*(printable(str(text)) for text in texts), None], object)
        if rows[name].dtype != object or (codes < 0).any() or list(texts) != list(known[:-1]):
            changed[name] = pd.Series(known[codes], rows.index, dtype=object)
    return rows.assign(**changed)


def _grouped(scores: Sequence[Score], name: str) -> dict[str, list[Score]]:
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(getattr(score, name), []).append(score)
    return found
