"""The card of a metric: verdicts by dataset, and the tables that they are made from."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from partbench.leaderboard.metric_cards.orders import between_categories, between_seeds, metric_taus
from partbench.leaderboard.metric_cards.response import Dose, cheats, doses, random_weights, supported_cheats
from partbench.leaderboard.metric_cards.rules import Findings, verdict
from partbench.leaderboard.metric_cards.separation import Separation, separations
from partbench.leaderboard.metric_cards.tables import (
    CHEATS,
    DOSE,
    IMAGES,
    LIMITS,
    ORDERS,
    OTHERS,
    OWN,
    SETTINGS,
    WEIGHTS,
    cheats_table,
    dose_table,
    images_table,
    limits_table,
    orders_table,
    others_table,
    settings_table,
)
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.uses import Uses
from partbench.results.json_values import in_json

VERDICTS = ["metric", "dataset", "verdict", "reason"]


@dataclass(frozen=True)
class Card:
    """The card of a metric: a row of `verdicts` for each dataset, and tables by title."""

    metric: str
    higher_is_better: bool
    verdicts: pd.DataFrame
    doses: list[Dose]
    tables: dict[str, pd.DataFrame]

    def as_json(self) -> dict[str, Any]:
        """The card as plain data: NaN and infinities are None."""
        tables = {title: _records(table) for title, table in self.tables.items()}
        named = {"metric": self.metric, "higher_is_better": self.higher_is_better}
        return {**named, "verdicts": _records(self.verdicts), "tables": tables}


class Cards:
    """Makes the cards of all metrics of some sources; what cards share is found once."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        honest = sources.honest
        self._honest = dict(list(honest.groupby(["metric", "dataset"], sort=True, observed=True)))
        self._findings: dict[str, dict[str, Findings]] = {}
        self._planted: dict[str, dict[str, Any]] = {}

    @cached_property
    def separations(self) -> dict[tuple[str, str], Separation]:
        """See `separation.separations`."""
        return separations(self.sources)

    @cached_property
    def taus(self) -> dict[str, dict[tuple[str, str], float]]:
        """Of each dataset, the taus between metrics, and between a metric and its variants."""
        honest, names = self.sources.honest, self.sources.metrics
        wanted = [(one, other) for one in names for other in names if one < other]
        wanted += [(name, f"{name}{setting}") for name in names for setting in SETTINGS.get(name, ())]
        by_dataset = honest.groupby("dataset", sort=True, observed=True)
        return {str(name): metric_taus(own, wanted) for name, own in by_dataset}

    @cached_property
    def supported(self) -> Set[tuple[str, str]]:
        """See `response.supported_cheats`."""
        return supported_cheats(self.sources)

    @cached_property
    def all(self) -> list[Card]:
        """The cards of all metrics, by name; none without planted runs."""
        return [] if self.sources.planted_runs.empty else [self.card(metric) for metric in self.sources.metrics]

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """What each metric is good for on each dataset that it has scores on: metric, dataset, verdict and reason.

        The verdict is "ranks", "screens only" or "do not use here"; see docs/metrics.md. Empty without planted runs.
        """
        names = [] if self.sources.planted_runs.empty else self.sources.metrics
        found = [_verdicts(metric, self.findings(metric)) for metric in names]
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=VERDICTS)

    @property
    def uses(self) -> Uses:
        """The verdicts by metric and dataset."""
        rows = self.verdicts.itertuples(index=False)
        return {(row.metric, row.dataset): row.verdict for row in rows}

    def findings(self, metric: str) -> dict[str, Findings]:
        """What the rules of verdicts read, by dataset, of those on which the metric has scores."""
        if metric not in self._findings:
            self._findings[metric] = self._found(metric)
        return self._findings[metric]

    def _found(self, metric: str) -> dict[str, Findings]:
        sources, planted = self.sources, self.planted(metric)
        return {
            dataset: Findings(
                metric, **planted, categories=between_categories(rows), seeds=between_seeds(rows),
                separation=self.separations.get((metric, dataset)),
            )
            for dataset in sources.datasets if len(rows := self._rows(metric, dataset))
        }  # fmt: skip

    def planted(self, metric: str) -> dict[str, Any]:
        """Of planted runs: doses, cheats and random weights, with the best floors, by the names in `Findings`."""
        if metric not in self._planted:
            sources = self.sources
            self._planted[metric] = {
                "doses": doses(sources, metric), "floors": sources.best_floors.of_metric(metric),
                "cheats": cheats(sources, metric, self.supported), "random_weights": random_weights(sources, metric),
            }  # fmt: skip
        return self._planted[metric]

    def card(self, metric: str) -> Card:
        """The card of a metric."""
        findings, planted = self.findings(metric), self.planted(metric)
        of_task = planted["doses"]
        tables = {
            DOSE: dose_table(of_task),
            LIMITS: limits_table(self.sources, metric, of_task),
            WEIGHTS: planted["random_weights"],
            ORDERS: orders_table(self.sources, metric, findings),
            CHEATS: cheats_table(planted["cheats"]),
            OWN: settings_table(self.taus, metric, self.sources.datasets),
            IMAGES: images_table(findings),
            OTHERS: others_table(self.taus, metric, self.sources),
        }
        shown = {title: table for title, table in tables.items() if len(table)}
        return Card(metric, self.sources.higher_is_better(metric), _verdicts(metric, findings), of_task, shown)

    def _rows(self, metric: str, dataset: str) -> pd.DataFrame:
        return self._honest.get((metric, dataset), self.sources.honest.iloc[:0])


def _verdicts(metric: str, found: Mapping[str, Findings]) -> pd.DataFrame:
    rows = [(metric, dataset, *verdict(of_dataset)) for dataset, of_dataset in found.items()]
    return pd.DataFrame(rows, columns=VERDICTS)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): in_json(value) for name, value in row.items()} for row in table.to_dict("records")]
