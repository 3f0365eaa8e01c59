"""What a metric is good for, by rules that `docs/metrics.md` gives reasons for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from partbench.leaderboard.metric_cards.orders import Agreement
from partbench.leaderboard.metric_cards.response import NOISE, TRUE, Dose, noticed
from partbench.leaderboard.metric_cards.separation import Separation
from partbench.leaderboard.sources import LEAST_EXPLAINERS
from partbench.leaderboard.unsupported import METRICS_WITHOUT_MAPS
from partbench.leaderboard.uses import NOT_HERE, RANKS, SCREENS
from partbench.results.planted import INVERTED

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
    said = []
    for dose in found.doses:
        if not dose.complete:
            said.append(("the truth, or noise, has no score", dose.task))
        elif not dose.surely_better(TRUE, NOISE):
            said.append(("the truth is not surely better than noise", dose.task))
        elif rise := dose.largest_rise:
            said.append((f"noise {rise[1]} is surely better than noise {rise[0]}", dose.task))
    yield from _by_message(said)


def _against_ranks(found: Findings) -> Iterator[str]:
    """Why a good score is no evidence for an explainer, or an order would not be found again."""
    said = []
    for dose in found.doses:
        if dose.surely_better(INVERTED, NOISE):
            said.append(("the inverted truth is surely better than noise", dose.task))
        if dose.task not in found.floors.index:
            said.append(("there is no floor to compare the truth with", dose.task))
        elif not dose.table.loc[TRUE, "score_low"] > found.floors.loc[dose.task, "score_high"]:
            said.append((f"the truth is not surely better than {found.floors.loc[dose.task, 'label']}", dose.task))
    yield from _by_message(said)
    unmarked = found.cheats[found.cheats["best"] & ~found.cheats["marked"]]
    if len(unmarked):
        yield f"a cheat leads unmarked: {', '.join(sorted(set(unmarked['subject'])))}"
    share = noticed(found.random_weights)
    if found.metric not in METRICS_WITHOUT_MAPS and not share > LEAST_NOTICED:
        known = "is not known" if np.isnan(share) else f"scores surely worse in {share:.0%} of the cases only"
        yield f"an explainer of random weights {known}"
    yield from _order(found)


def _by_message(said: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Each message once, with the tasks that it is of."""
    for message in dict.fromkeys(message for message, _ in said):
        yield f"{message} on {' and '.join(task for other, task in said if other == message)}"


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
    separation = found.separation
    if separation is None or not separation.pairs:
        yield "no two explainers have evidence of images on all tasks of a board"
    elif separation.share < LEAST_SEPARATED:
        yield f"the images separate {separation.separated} of {separation.pairs} pairs of explainers"
