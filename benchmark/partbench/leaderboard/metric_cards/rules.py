"""What a metric is good for, by rules that `docs/metrics.md` gives reasons for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from partbench.leaderboard.metric_cards.orders import Agreement
from partbench.leaderboard.metric_cards.response import NOISE, TRUE, Dose, noticed
from partbench.leaderboard.metric_cards.separation import Separation
from partbench.leaderboard.metric_cards.sources import LEAST_EXPLAINERS
from partbench.leaderboard.numbers_alone import METRICS_WITHOUT_MAPS
from partbench.results.planted import INVERTED

RANKS, SCREENS, NOT_HERE = "ranks", "screens only", "do not use here"
LEAST_TAU = 0.5  # three of four pairs of explainers are in the same order in two places
SURE_TAU = 1 / 3  # the low end of the interval: two of three
LEAST_SEPARATED = 0.5  # of the pairs of explainers, by the images at hand
LEAST_NOTICED = 0.5  # of the explainers of a network with random weights


@dataclass(frozen=True)
class Findings:
    """What the rules read, of one metric on one dataset. Planted runs are those of all datasets."""

    metric: str
    doses: list[Dose]
    floors: pd.DataFrame
    cheats: pd.DataFrame
    random_weights: pd.DataFrame
    categories: Agreement
    seeds: Agreement
    separation: Separation | None


def verdict(found: Findings) -> tuple[str, str]:
    """The verdict and its reason: what speaks against the metric, or what it stands on."""
    if against := list(_against_use(found)):
        return NOT_HERE, "; ".join(against)
    if against := list(_against_ranks(found)):
        return SCREENS, "; ".join(against)
    return RANKS, f"tau {found.categories.tau:.2f} between categories, {found.seeds.tau:.2f} between seeds"


def _against_use(found: Findings) -> Iterator[str]:
    """Why a bad score is no evidence against an explainer: the truth need not score well."""
    if not found.doses:
        yield "no planted run shows that it answers to the truth"
    for dose in found.doses:
        if not dose.complete:
            yield f"the truth, or noise, has no score on {dose.task}"
        elif not dose.surely_better(TRUE, NOISE):
            yield f"the truth is not surely better than noise on {dose.task}"
        elif dose.rises:
            yield f"more noise is surely better on {dose.task} (noise {', '.join(dose.rises)})"


def _against_ranks(found: Findings) -> Iterator[str]:
    """Why a good score is no evidence for an explainer, or an order would not be found again."""
    for dose in found.doses:
        if dose.surely_better(INVERTED, NOISE):
            yield f"the inverted truth is surely better than noise on {dose.task}"
        if dose.task not in found.floors.index:
            yield f"no floor on {dose.task} to compare the truth with"
        elif not dose.table.loc[TRUE, "score_low"] > found.floors.loc[dose.task, "score_high"]:
            yield f"the truth is not surely better than {found.floors.loc[dose.task, 'label']} on {dose.task}"
    unmarked = found.cheats[found.cheats["best"] & ~found.cheats["marked"]]
    if len(unmarked):
        yield f"a cheat leads unmarked: {', '.join(sorted(set(unmarked['subject'])))}"
    share = noticed(found.random_weights)
    if found.metric not in METRICS_WITHOUT_MAPS and not share > LEAST_NOTICED:
        known = "is not known" if np.isnan(share) else f"scores surely worse in {share:.0%} of the cases only"
        yield f"an explainer of random weights {known}"
    yield from _order(found)


def _order(found: Findings) -> Iterator[str]:
    agreement = found.categories
    if np.isnan(agreement.low):
        yield f"fewer than {LEAST_EXPLAINERS} explainers share three categories: no order to check"
    elif agreement.tau < LEAST_TAU or agreement.low < SURE_TAU:
        interval = f"{agreement.low:.2f} to {agreement.high:.2f}"
        yield f"the order of explainers differs between categories: tau {agreement.tau:.2f} ({interval})"
    if np.isnan(found.seeds.tau):
        yield f"fewer than {LEAST_EXPLAINERS} explainers share two seeds: no order to check"
    elif found.seeds.tau < LEAST_TAU:
        yield f"the order of explainers differs between seeds: tau {found.seeds.tau:.2f}"
    if found.separation is None or not found.separation.share >= LEAST_SEPARATED:
        share = "0%" if found.separation is None else f"{np.nan_to_num(found.separation.share):.1%}"
        yield f"the images separate {share} of the pairs of explainers"
