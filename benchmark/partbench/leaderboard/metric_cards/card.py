"""The card of a metric: verdicts by dataset, and the tables that they are made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from partbench.leaderboard.metric_cards.orders import (
    Agreement,
    between_categories,
    between_datasets,
    between_networks,
    between_seeds,
    metric_taus,
)
from partbench.leaderboard.metric_cards.response import (
    TRUE,
    Dose,
    cheats,
    doses,
    random_weights,
    supported_cheats,
)
from partbench.leaderboard.metric_cards.rules import Findings, verdict
from partbench.leaderboard.metric_cards.separation import Separation, separations
from partbench.leaderboard.sources import Sources

# Variants of a metric that read the same thing with another setting.
SETTINGS = {
    "accuracy": ("@fitted_threshold",),
    "contribution_entropy": ("@nats",),
    "faithfulness_classification": ("@positive",),
    "faithfulness_regression": ("@positive", "@negative"),
    "locality": ("@landmarks", "@masks"),
    "location_instability": ("@max_activation", "@unmasked"),
    "masked_accuracy": ("@gamma=0.01", "@gamma=0.1", "@gamma=0.3"),
    "part_effect_agreement": ("@assigned",),
    "part_following": ("@unmasked",),
    "part_interpretability": ("@field=0.75", "@field=1.5"),
}
VERDICTS = ["metric", "dataset", "verdict", "reason"]
REPEATS, OPPOSES = 0.9, -0.5  # tau from which a metric repeats another, and below which it opposes it
DOSE, LIMITS, WEIGHTS, ORDERS = "Dose and response", "Floors and ceiling", "Random weights", "Order of explainers"
CHEATS, OWN, IMAGES, OTHERS = "Cheats", "Its own settings", "Images", "Other metrics"


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
    def every(self) -> list[Card]:
        """The cards of all metrics, by name; none without planted runs."""
        return [] if self.sources.planted_runs.empty else [self.card(metric) for metric in self.sources.metrics]

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """See `metric_verdicts`."""
        names = [] if self.sources.planted_runs.empty else self.sources.metrics
        found = [_verdicts(metric, self.findings(metric)) for metric in names]
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=VERDICTS)

    @property
    def of_datasets(self) -> dict[tuple[str, str], str]:
        """The verdict of each metric and dataset."""
        rows = self.verdicts.itertuples(index=False)
        return {(row.metric, row.dataset): row.verdict for row in rows}

    def findings(self, metric: str) -> dict[str, Findings]:
        """What the rules read, for each dataset on which the metric has scores."""
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
        of_datasets, planted = self.findings(metric), self.planted(metric)
        found = planted["doses"]
        tables = {
            DOSE: pd.DataFrame([{"task": dose.task, **dose.table["value"].to_dict()} for dose in found]),
            LIMITS: self._limits(metric, found),
            WEIGHTS: planted["random_weights"],
            ORDERS: self._orders(metric, of_datasets),
            CHEATS: _of_cheats(planted["cheats"]),
            OWN: self._own_settings(metric),
            IMAGES: self._images(of_datasets),
            OTHERS: self._others(metric),
        }
        shown = {title: table for title, table in tables.items() if len(table)}
        return Card(metric, self.sources.higher_is_better(metric), _verdicts(metric, of_datasets), found, shown)

    def _rows(self, metric: str, dataset: str) -> pd.DataFrame:
        return self._honest.get((metric, dataset), self.sources.honest.iloc[:0])

    def _limits(self, metric: str, found: list[Dose]) -> pd.DataFrame:
        rows: list[dict[str, Any]] = []
        for dose in found:
            rows.append({"task": dose.task, "truth": dose.table["value"].get(TRUE, np.nan)})
            for name, best in (("explainer", self.sources.best_honest), ("floor", self.sources.best_floors)):
                table = best.of_metric(metric)
                known = dose.task in table.index
                rows[-1][f"best {name}"] = table.loc[dose.task, "label"] if known else ""
                rows[-1][f"value of the {name}"] = table.loc[dose.task, "value"] if known else np.nan
        return pd.DataFrame(rows)

    def _orders(self, metric: str, found: Mapping[str, Findings]) -> pd.DataFrame:
        rows: list[dict[str, Any]] = []
        for dataset, of in found.items():
            networks = between_networks(self._rows(metric, dataset))
            places = {"categories": of.categories, "seeds": of.seeds, "networks and kinds of task": networks}
            rows += [_of_agreement(dataset, name, agreement) for name, agreement in places.items()]
        honest = self.sources.honest
        rows.append(_of_agreement("all", "datasets", between_datasets(honest[honest["metric"] == metric])))
        return pd.DataFrame([row for row in rows if row["pairs of places"]])

    def _own_settings(self, metric: str) -> pd.DataFrame:
        rows = []
        for setting in SETTINGS.get(metric, ()):
            taus = {dataset: self._tau(dataset, metric, f"{metric}{setting}") for dataset in self.sources.datasets}
            rows.append({"setting": setting, **{f"tau on {name}": tau for name, tau in taus.items()}})
        return pd.DataFrame([row for row in rows if any(_known(value) for value in row.values())])

    def _others(self, metric: str) -> pd.DataFrame:
        rows = []
        for other in self.sources.metrics:
            taus = {name: self._tau(name, metric, other) for name in self.sources.datasets}
            known = [tau for tau in taus.values() if not math.isnan(tau)]
            if other != metric and known:
                word = "repeats it" if min(known) >= REPEATS else "opposes it" if max(known) <= OPPOSES else ""
                rows.append({"metric": other, **{f"tau on {name}": tau for name, tau in taus.items()}, "": word})
        return pd.DataFrame(sorted(rows, key=lambda row: -np.nanmean([v for v in row.values() if _known(v)])))

    def _tau(self, dataset: str, one: str, other: str) -> float:
        known = self.taus[dataset]
        return known.get((one, other), known.get((other, one), math.nan))

    def _images(self, found: Mapping[str, Findings]) -> pd.DataFrame:
        rows = []
        for dataset, of in found.items():
            if (separation := of.separation) and separation.pairs:
                rows.append({
                    "dataset": dataset, "pairs of explainers": separation.pairs, "share separated": separation.share,
                    "images to separate neighbours": np.ceil(separation.neighbours),
                    "images of a board": np.median(separation.images),
                })  # fmt: skip
        return pd.DataFrame(rows)


def metric_verdicts(sources: Sources) -> pd.DataFrame:
    """What each metric is good for on each dataset that it has scores on: metric, dataset, verdict and reason.

    The verdict is "ranks", "screens only" or "do not use here"; see docs/metrics.md. Empty without planted runs.
    """
    return Cards(sources).verdicts


def _verdicts(metric: str, found: Mapping[str, Findings]) -> pd.DataFrame:
    rows = [(metric, dataset, *verdict(of_dataset)) for dataset, of_dataset in found.items()]
    return pd.DataFrame(rows, columns=VERDICTS)


def _of_agreement(dataset: str, between: str, found: Agreement) -> dict[str, Any]:
    about = {"dataset": dataset, "between": between, "tau": found.tau, "low": found.low, "high": found.high}
    return {**about, "explainers": found.explainers, "pairs of places": found.pairs}


def _of_cheats(found: pd.DataFrame) -> pd.DataFrame:
    """The means of cheats over tasks; best: better than every explainer on some task, marked: on all tasks."""
    if found.empty:
        return found
    means = found.groupby("subject", sort=True).agg(
        value=("value", "mean"), score=("score", "mean"), best=("best", "any"), marked=("marked", "all")
    )
    means = means.reset_index().sort_values(["score", "subject"], ascending=[False, True])
    shown = {"subject": "cheat", "best": "better than every explainer"}
    return means[["subject", "value", "best", "marked"]].rename(columns=shown)


def _known(value: object) -> bool:
    return isinstance(value, float) and not math.isnan(value)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
