"""Agreement of orders: tau against scipy's, its mean over pairs, and its interval."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from cards_sources import EXPLAINERS, METRIC, TASKS, results, sources
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from partbench.leaderboard.metric_cards.orders import (
    PlaceScores,
    agreement,
    between_categories,
    between_datasets,
    between_networks,
    between_seeds,
    board_means,
    metric_taus,
    tau,
)

OPPOSITE = dict(zip(EXPLAINERS, reversed(EXPLAINERS.values()), strict=True))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a loaded machine
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=9))
def test_tau_is_scipys(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    expected = kendalltau(one, other).statistic
    assert tau(one, other) == pytest.approx(0 if math.isnan(expected) else expected)


def test_the_mean_over_pairs_of_places_has_the_jackknifes_interval() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(6, 4)), columns=list("wxyz"))
    found = agreement([PlaceScores(list(table), table.to_numpy())])
    taus = {(a, b): kendalltau(table[a], table[b]).statistic for a in table for b in table if a < b}
    left = [np.mean([t for pair, t in taus.items() if place not in pair]) for place in table]
    error = math.sqrt(3 / 4 * np.square(left - np.mean(left)).sum())
    assert found.tau == pytest.approx(np.mean(list(taus.values())))
    assert found.high - found.tau == pytest.approx(3.1824463 * error)  # Student's t, 3 degrees
    assert (found.pairs, found.explainers) == (6, 6)


def test_an_interval_stays_within_the_bounds_of_tau() -> None:
    scores = np.array([[1.0, 2, 3, 4], [1, 2, 4, 3], [1, 2, 3, 4]]).T
    assert agreement([PlaceScores("wxy", scores)]).high == 1


@pytest.mark.parametrize("columns", [1, 2])
def test_two_places_have_no_interval_and_one_has_no_tau(columns: int) -> None:
    found = agreement([PlaceScores("ab"[:columns], np.arange(4.0 * columns).reshape(4, columns))])
    assert math.isnan(found.low)
    assert math.isnan(found.tau) == (columns == 1)


def test_three_explainers_are_too_few() -> None:
    assert agreement([PlaceScores("abc", np.array([[1.0, 1, 3], [2, 2, 2], [3, 3, 1]]))]).pairs == 0


def test_an_explainer_without_a_score_in_one_place_does_not_count() -> None:
    rows = results(dict.fromkeys(TASKS, EXPLAINERS | {"e": 0.5}))
    rows = [row for row in rows if row["explainer"] != "e" or row["category"] != "dog"]
    assert between_categories(sources(rows).honest).explainers == 4


def test_orders_of_categories_seeds_networks_and_datasets_are_told_apart() -> None:
    alike, opposite = dict.fromkeys(TASKS, EXPLAINERS), dict.fromkeys(TASKS, OPPOSITE)
    single = [row | {"task": f"fauna/{row['category']}", "cell": f"single-{row['cell']}"} for row in results(opposite)]
    rows = [*results(alike), *single, *results(alike, dataset="animal_part")]
    honest = sources(rows).honest
    fauna = honest[honest["dataset"] == "fauna"]
    assert between_categories(fauna).tau == 1
    assert between_seeds(fauna).tau == 1
    means = board_means(honest)
    assert between_networks(means, "fauna").tau == -1
    assert between_datasets(means).tau == 1


def test_a_metric_repeats_itself_and_opposes_its_negative() -> None:
    other = [row | {"metric": "accuracy", "value": 1 - row["value"]} for row in results()]
    found = metric_taus(sources([*results(), *other]).honest, [(METRIC, "accuracy"), (METRIC, "none")])
    assert found == {(METRIC, "accuracy"): -1}
