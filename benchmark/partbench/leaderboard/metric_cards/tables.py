"""The tables of a card: what planted runs, orders of explainers and images say of a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from partbench.leaderboard.metric_cards.orders import Agreement, between_datasets, between_networks, board_means
from partbench.leaderboard.metric_cards.response import TRUE, Dose
from partbench.leaderboard.metric_cards.rules import Findings
from partbench.leaderboard.sources import Sources

REPEATS, OPPOSES = 0.9, -0.5  # tau from which a metric repeats another, and below which it opposes it
DOSE, LIMITS, WEIGHTS, ORDERS = "Dose and response", "Floors and ceiling", "Random weights", "Order of explainers"
CHEATS, OWN, IMAGES, OTHERS = "Cheats", "Its own settings", "Images", "Other metrics"
REMARK = "remark"  # column of `others_table`
# Variants of a metric that measure the same with another setting.
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
Taus = Mapping[str, Mapping[tuple[str, str], float]]  # by dataset, between two metrics or a metric and its variant


def dose_table(doses: Sequence[Dose]) -> pd.DataFrame:
    """A row per task: the value at each level."""
    return pd.DataFrame([{"task": dose.task, **dose.table["value"].to_dict()} for dose in doses])


def limits_table(sources: Sources, metric: str, doses: Sequence[Dose]) -> pd.DataFrame:
    """A row per task: the value of the truth, of the best explainer and of the best floor."""
    rows: list[dict[str, Any]] = []
    for dose in doses:
        rows.append({"task": dose.task, "truth": dose.table["value"].get(TRUE, np.nan)})
        for name, best in (("explainer", sources.best_honest), ("floor", sources.best_floors)):
            table = best.of_metric(metric)
            known = dose.task in table.index
            rows[-1][f"best {name}"] = table.loc[dose.task, "label"] if known else ""
            rows[-1][f"value of the {name}"] = table.loc[dose.task, "value"] if known else np.nan
    return pd.DataFrame(rows)


def orders_table(sources: Sources, metric: str, found: Mapping[str, Findings]) -> pd.DataFrame:
    """A row per dataset and kind of places: how far explainers are in the same order in two of them."""
    rows: list[dict[str, Any]] = []
    means = board_means(sources.honest_of(metric))
    for dataset, of in found.items():
        networks = between_networks(means, dataset)
        places = {"categories": of.categories, "seeds": of.seeds, "networks and kinds of task": networks}
        rows += [_of_agreement(dataset, name, agreement) for name, agreement in places.items()]
    rows.append(_of_agreement("all", "datasets", between_datasets(means)))
    return pd.DataFrame([row for row in rows if row["pairs of places"]])


def settings_table(taus: Taus, metric: str, datasets: Sequence[str]) -> pd.DataFrame:
    """A row per variant of a metric: tau between the two, on each dataset."""
    rows = []
    for setting in SETTINGS.get(metric, ()):
        found = {name: _tau(taus[name], metric, f"{metric}{setting}") for name in datasets}
        rows.append({"setting": setting, **{f"tau on {name}": tau for name, tau in found.items()}})
    return pd.DataFrame([row for row in rows if any(_known(value) for value in row.values())])


def others_table(taus: Taus, metric: str, sources: Sources) -> pd.DataFrame:
    """A row per other metric: tau between the two, on each dataset, and whether it repeats or opposes this one.

    The column that says so is left out where none does.
    """
    rows = []
    for other in sources.metrics:
        found = {name: _tau(taus[name], metric, other) for name in sources.datasets}
        known = [tau for tau in found.values() if not math.isnan(tau)]
        if other != metric and known:
            word = "repeats it" if min(known) >= REPEATS else "opposes it" if max(known) <= OPPOSES else ""
            rows.append({"metric": other, **{f"tau on {name}": tau for name, tau in found.items()}, REMARK: word})
    table = pd.DataFrame(sorted(rows, key=lambda row: -np.nanmean([v for v in row.values() if _known(v)])))
    return table if any(row[REMARK] for row in rows) else table.drop(columns=REMARK, errors="ignore")


def images_table(found: Mapping[str, Findings]) -> pd.DataFrame:
    """A row per dataset: how many pairs of explainers the images separate, and how many images neighbours need."""
    rows = []
    for dataset, of in found.items():
        if (separation := of.separation) and separation.pairs:
            rows.append({
                "dataset": dataset, "pairs of explainers": separation.pairs, "share separated": separation.share,
                "images to separate neighbours": np.ceil(separation.neighbours),
                "images of a board": np.median(separation.images),
            })  # fmt: skip
    return pd.DataFrame(rows)


def cheats_table(found: pd.DataFrame) -> pd.DataFrame:
    """A row per cheat, from rows of `response.cheats`: its mean over tasks, and whether boards mark it on all tasks."""
    if found.empty:
        return found
    means = found.groupby("subject", sort=True).agg(
        value=("value", "mean"), score=("score", "mean"), best=("best", "any"), marked=("marked", "all")
    )
    means = means.reset_index().sort_values(["score", "subject"], ascending=[False, True])
    shown = {"subject": "cheat", "best": "better than every explainer"}
    return means[["subject", "value", "best", "marked"]].rename(columns=shown)


def _tau(known: Mapping[tuple[str, str], float], one: str, other: str) -> float:
    return known.get((one, other), known.get((other, one), math.nan))


def _of_agreement(dataset: str, between: str, found: Agreement) -> dict[str, Any]:
    about = {"dataset": dataset, "between": between, "tau": found.tau, "low": found.low, "high": found.high}
    return {**about, "explainers": found.explainers, "pairs of places": found.pairs}


def _known(value: object) -> bool:
    return isinstance(value, float) and not math.isnan(value)
