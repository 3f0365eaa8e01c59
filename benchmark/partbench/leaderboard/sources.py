"""What pages and metric cards are made of: results, their evidence per image, and planted runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from partbench.leaderboard.claims import ledger_of
from partbench.leaderboard.claims_evidence import claimed_metrics
from partbench.leaderboard.current import FLOOR, UNRANKED, current
from partbench.leaderboard.decomposition import NULL
from partbench.leaderboard.judged import Images, Judged, judged
from partbench.leaderboard.ledger_line import LedgerLine
from partbench.leaderboard.origins import is_own
from partbench.leaderboard.score import Score, scores_of
from partbench.leaderboard.standings import standings_of
from partbench.leaderboard.submitted import Submitted, submitted
from partbench.results.index import ASKED_AT
from partbench.results.planted import load_planted, no_planted_runs, planted_folder
from partbench.results.store import evidence_beside, load_results
from partbench.results.submission_history import submission_events

_READ = ["cell", "board", "dataset", "task", "explainer", "variant", "label", "seed", "control", "distribution"]
_READ += ["metric", "metric_version", "higher_is_better", "value", "low", "high"]
# What pages are made of, without what tells of runs and machines.
_OF_PAGES = ["cell", "explainer", "variant", "distribution", "task", "task_version", "dataset", "category"]
_OF_PAGES += ["performer", "seed", "metric", "metric_version", "unit", "value", "low", "high", "higher_is_better"]
_OF_PAGES += ["status", "reason", "images", "fit_seconds", "explain_seconds", "peak_memory_mb", "control", ASKED_AT]
_OF_PAGES += ["compared_with", "low_bound", "high_bound", "network", "deterministic", "file"]
LEAST_EXPLAINERS = 4  # an order of three agrees with another by chance in one case of six


@dataclass(frozen=True)
class Sources:
    """Results as `load_results` or `current` gives them, evidence as `judged` takes it, planted runs, what others sent.

    What several pages are made of is found once.
    """

    results: pd.DataFrame
    evidence: Images
    planted_runs: pd.DataFrame = field(default_factory=no_planted_runs)
    submitted: Submitted = field(default_factory=Submitted)

    @staticmethod
    def of(results: Path) -> Sources:
        """From a folder of results and the planted runs beside it. Raises InputError if there is no such folder.

        A cell that cannot be read is told once, in a warning.
        """
        frame, planted = load_results(results, columns=_OF_PAGES), load_planted(planted_folder(results))

        def evidence(of: pd.DataFrame) -> pd.DataFrame:
            return evidence_beside(results, of["file"].unique())

        return Sources(current(frame), evidence, planted, submitted(frame, submission_events(results)))

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows that count, of `current`."""
        return current(self.results)

    @cached_property
    def judged(self) -> Judged:
        """What the evidence says."""
        held = {metric for metric in self.rows["metric"].unique() if "@" not in metric}
        return judged(self.rows, self.evidence, held=held | claimed_metrics() | {NULL})

    @cached_property
    def standings(self) -> pd.DataFrame:
        """See `standings.standings`."""
        return standings_of(self.judged)

    @cached_property
    def scores(self) -> list[Score]:
        """The standings, row by row."""
        return scores_of(self.standings)

    @cached_property
    def ledger(self) -> list[LedgerLine]:
        """See `claims.ledger`."""
        return ledger_of(self.judged, self.rows, self.standings)

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The rows that count and have a value, of metrics and their variants, with `score`: higher is better."""
        rows = self.rows
        rows = rows[rows["scored"] & rows["higher_is_better"].notna() & np.isfinite(rows["value"].astype(float))]
        sign = np.where(rows["higher_is_better"].astype(bool), 1.0, -1.0)
        return rows[_READ].assign(score=rows["value"].astype(float) * sign)

    @cached_property
    def honest(self) -> pd.DataFrame:
        """Rows by which metrics are judged: of partbench's explainers with their defaults, no floors or ablations.

        What others register may be a cheat, and a cheat that scores best would be the measure of cheats.
        """
        rows = self.scored
        return rows[(rows["variant"] == "") & ~rows["control"].isin(UNRANKED) & is_own(rows)]

    @cached_property
    def _honest_by_metric(self) -> dict[str, pd.DataFrame]:
        return dict(iter(self.honest.groupby("metric", sort=False)))

    def honest_of(self, metric: str) -> pd.DataFrame:
        """The rows of `honest` of one metric."""
        return self._honest_by_metric.get(metric, self.honest.iloc[:0])

    @cached_property
    def floors(self) -> pd.DataFrame:
        """Rows of floors."""
        return self.scored[self.scored["control"] == FLOOR]

    @cached_property
    def best_floors(self) -> Best:
        """The best floor of each metric and task: label, value, score and its bounds over seeds."""
        return _best(with_score_bounds(self.floors))

    @cached_property
    def best_honest(self) -> Best:
        """The best of the explainers by which metrics are judged, likewise."""
        return _best(with_score_bounds(self.honest))

    @cached_property
    def planted(self) -> pd.DataFrame:
        """Planted rows with a value, of the version of the metric that the results have; with `score`.

        Of a metric without results all versions count.
        """
        rows = self.planted_runs
        rows = rows[(rows["status"] == "ok") & np.isfinite(rows["value"].astype(float))]
        versions = dict(zip(self.scored["metric"], self.scored["metric_version"], strict=True))
        of_results = rows["metric"].map(versions)
        rows = rows[of_results.isna() | (of_results == rows["metric_version"])]
        sign = np.where(rows["higher_is_better"].astype(bool), 1.0, -1.0)
        return with_score_bounds(rows.assign(score=rows["value"] * sign))

    @cached_property
    def _planted_by_metric(self) -> dict[tuple[str, str], pd.DataFrame]:
        return dict(iter(self.planted.groupby(["planted", "metric"], sort=False)))

    def planted_of(self, kind: str, metric: str) -> pd.DataFrame:
        """The rows of `planted` of one kind, such as `planted.ORACLE`, and metric."""
        return self._planted_by_metric.get((kind, metric), self.planted.iloc[:0])

    @cached_property
    def metrics(self) -> list[str]:
        """Names of the metrics that have a score or a planted run, without variants."""
        return sorted({name for name in {*self.scored["metric"], *self.planted["metric"]} if "@" not in name})

    @cached_property
    def datasets(self) -> list[str]:
        """Datasets that have results."""
        return sorted(set(self.scored["dataset"]))

    @cached_property
    def _directions(self) -> dict[str, bool]:
        rows = pd.concat([of[["metric", "higher_is_better"]] for of in (self.planted, self.scored)])
        last = rows.drop_duplicates("metric", keep="last")
        return dict(zip(last["metric"], last["higher_is_better"].astype(bool), strict=True))

    def higher_is_better(self, metric: str) -> bool:
        """The direction of a metric."""
        return self._directions[metric]


class Best(NamedTuple):
    """The best row of each task: `tables` by metric, whose index is the task."""

    tables: Mapping[str, pd.DataFrame]
    none: pd.DataFrame

    def of_metric(self, metric: str) -> pd.DataFrame:
        """The rows of one metric, by task."""
        return self.tables.get(metric, self.none)


def _best(rows: pd.DataFrame) -> Best:
    means = rows.groupby(["metric", "task", "label"], sort=True, observed=True).agg(
        value=("value", "mean"), score=("score", "mean"), score_low=("score_low", "min"),
        score_high=("score_high", "max"),
    )  # fmt: skip
    order = means.reset_index().sort_values(["metric", "task", "score", "label"], ascending=[True, True, False, True])
    best = order.drop_duplicates(["metric", "task"]).set_index("task")
    return Best({str(metric): own for metric, own in best.groupby("metric", sort=False)}, best.iloc[:0])


def with_score_bounds(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with `score_low` and `score_high`, their interval with higher as better; the score itself without one."""
    value, low, high = (rows[name].astype(float).to_numpy() for name in ("score", "low", "high"))
    sign = np.where(rows["higher_is_better"].astype(bool), 1.0, -1.0)
    bounds = [np.where(np.isnan(end), value, end * sign) for end in (low, high)]
    ends = np.sort(np.stack(bounds), axis=0)
    return rows.assign(score_low=ends[0], score_high=ends[1])
