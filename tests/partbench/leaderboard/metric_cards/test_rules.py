"""Verdicts on synthetic results: each rule alone takes the verdict "ranks" away."""

from __future__ import annotations

from typing import Any

import pandas as pd
import planted_results
import pytest
from cards_sources import DOSES, EXPLAINERS, METRIC, TASKS, cheat, oracle, random_weights, results, sources
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.leaderboard.metric_cards.card import Cards
from partbench.leaderboard.metric_cards.rules import NOT_HERE, RANKS, SCREENS
from partbench.leaderboard.sources import Sources
from partbench.results.planted import INVERTED

ORDERS = [("a", "b", "c", "d"), ("d", "a", "c", "b"), ("c", "d", "b", "a"), ("b", "d", "a", "c")]
DISORDER = {task: dict(zip(order, EXPLAINERS.values(), strict=True)) for task, order in zip(TASKS, ORDERS, strict=True)}


def verdict(of: Sources, metric: str = METRIC, dataset: str = "fauna") -> tuple[str, str]:
    table = Cards(of).verdicts.set_index(["metric", "dataset"])
    return table.loc[(metric, dataset), "verdict"], table.loc[(metric, dataset), "reason"]


def runs(
    doses: dict[str, float] | None = None, random: float = 0.1, cheating: float = 0.1, **changes: Any
) -> list[dict[str, Any]]:
    return [*oracle(DOSES | (doses or {}), **changes), *random_weights(random=random), *cheat(cheating)]


def test_a_metric_that_breaks_no_rule_ranks() -> None:
    assert verdict(sources()) == (RANKS, "tau 1.00 between categories, 1.00 between seeds")


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        (runs({"0": 0.1}), "the truth is not surely better than noise on fauna/multi:bird"),
        (runs({"0": 0.115}), "the truth is not surely better than noise on fauna/multi:bird"),
        (runs({"0.5": 0.2, "0.75": 0.6}), "noise 0.75 is surely better than noise 0.5 on fauna/multi:bird"),
        ([*random_weights(), *cheat()], "no planted run shows that it answers to the truth"),
        (runs(status="failed"), "no planted run shows that it answers to the truth"),
        (oracle({"0": 0.9, "0.5": 0.4}), "the truth, or noise, has no score on fauna/multi:bird"),
    ],
)
def test_a_metric_that_does_not_answer_to_the_truth_is_not_to_be_used(planted: list[dict[str, Any]], why: str) -> None:
    assert verdict(sources(runs=planted)) == (NOT_HERE, why)


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        (runs({INVERTED: 0.5}), "the inverted truth is surely better than noise on fauna/multi:bird"),
        (runs(cheating=0.99), "a cheat leads unmarked: copied_logit"),
        (runs(random=0.59), "an explainer of random weights scores surely worse in 0% of the cases only"),
        ([*oracle(), *cheat()], "an explainer of random weights is not known"),
    ],
)
def test_a_good_score_that_is_no_evidence_only_screens(planted: list[dict[str, Any]], why: str) -> None:
    assert verdict(sources(runs=planted)) == (SCREENS, why)


@pytest.mark.parametrize("control", ["", "floor"])
def test_a_cheat_that_others_register_is_no_measure_of_cheats(control: str) -> None:
    """Neither as the best explainer, which no cheat leads, nor as a floor, which marks it."""
    rows = [planted_results.row("cheat", task, 0.995, seed=s, control=control, metric=METRIC, higher_is_better=True,
                distribution="cheat.py") for task in TASKS for s in (0, 1)]  # fmt: skip
    assert verdict(sources([*results(), *rows], runs(cheating=0.99))) == (
        SCREENS,
        "a cheat leads unmarked: copied_logit",
    )
    assert verdict(sources([*results(), *rows])) == verdict(sources())


def test_a_floor_as_good_as_the_truth_leaves_a_screen() -> None:
    found = verdict(sources(results(floor=0.95)))
    assert found == (SCREENS, "the truth is not surely better than random_maps on fauna/multi:bird")


def test_without_a_floor_a_metric_screens() -> None:
    rows = [row for row in results() if row["explainer"] != "random_maps"]
    assert verdict(sources(rows)) == (SCREENS, "there is no floor to compare the truth with on fauna/multi:bird")


def test_orders_that_differ_between_categories_screen() -> None:
    kind, why = verdict(sources(results(DISORDER)))
    assert kind == SCREENS
    assert why.startswith("the order of explainers differs between categories: tau -0.")


def test_orders_that_differ_between_seeds_screen() -> None:
    rows = results()
    swapped = {"a": "d", "b": "c", "c": "b", "d": "a"}
    for row in rows:
        if row["seed"] == 1:
            row["value"] = EXPLAINERS[swapped[row["explainer"]]] + EXPLAINERS[row["explainer"]] / 4
    kind, why = verdict(sources(rows))
    assert kind == SCREENS
    assert "the order of explainers differs between seeds: tau -1.00" in why


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (results(dict.fromkeys(TASKS[:2], EXPLAINERS)), "fewer than 4 explainers share three categories"),
        (
            results({task: {"a": 0.1, "b": 0.4, "c": 0.7} for task in TASKS}),
            "fewer than 4 explainers share three categories",
        ),
        ([row for row in results() if row["seed"] == 0], "fewer than 4 explainers share two seeds"),
    ],
)
def test_where_no_order_can_be_checked_a_metric_screens(rows: list[dict[str, Any]], why: str) -> None:
    kind, reason = verdict(sources(rows))
    assert kind == SCREENS
    assert why in reason


def test_images_that_separate_few_explainers_leave_a_screen() -> None:
    kind, why = verdict(sources(noise=5.0))
    assert kind == SCREENS
    assert "pairs of explainers" in why


def test_a_marked_cheat_may_lead() -> None:
    below_the_floor = sources(results(floor=0.9), [*oracle({**DOSES, "0": 1.5}), *random_weights(), *cheat(0.89)])
    assert verdict(below_the_floor)[0] == RANKS


def test_metrics_without_maps_need_not_notice_random_weights() -> None:
    name = {"metric": "accuracy"}
    planted = [run | name for run in [*oracle(), *random_weights(random=0.6)]]
    assert verdict(sources(results(**name), planted), "accuracy")[0] == RANKS


def test_a_copied_logit_with_maps_of_no_worth_is_marked_and_with_maps_of_some_worth_is_not() -> None:
    name = {"metric": "accuracy"}
    rows = [*results(**name), *results()]
    planted = [*oracle(), *random_weights(), *[run | name for run in oracle()], *cheat(0.99, **name)]
    worthless, worthy = (verdict(sources(rows, [*planted, *cheat(value)]), "accuracy") for value in (0.1, 0.5))
    assert worthless[0] == RANKS
    assert worthy == (SCREENS, "a cheat leads unmarked: copied_logit")


def test_planted_runs_of_fauna_count_for_other_datasets() -> None:
    rows = [*results(), *results(dataset="animal_part")]
    assert verdict(sources(rows), dataset="animal_part")[0] == RANKS
    assert verdict(sources(rows, runs({"0": 0.1})), dataset="animal_part")[0] == NOT_HERE


def test_planted_runs_of_an_older_version_of_the_metric_do_not_count() -> None:
    assert verdict(sources(results(metric_version="2")))[1] == "no planted run shows that it answers to the truth"


def test_a_metric_whose_lower_scores_are_better_is_judged_alike() -> None:
    rows = [row | {"value": -row["value"], "low": -row["high"], "high": -row["low"], "higher_is_better": False}
            for row in results()]  # fmt: skip
    planted = [run | {"value": -run["value"], "low": -run["high"], "high": -run["low"], "higher_is_better": False}
               for run in runs()]  # fmt: skip
    assert verdict(sources(rows, planted))[0] == RANKS


@settings(max_examples=15, deadline=None)
@given(floor=st.floats(0, 2), inverted=st.floats(0, 2), cheating=st.floats(0, 2))
def test_only_a_metric_whose_truth_leads_ranks(floor: float, inverted: float, cheating: float) -> None:
    kind, _ = verdict(sources(results(floor=floor), runs({INVERTED: inverted}, cheating=cheating)))
    leads = floor + 0.01 < 0.94 and inverted <= 0.12 and (cheating <= 0.8 or cheating - 0.01 <= floor + 0.01)
    near = min(abs(floor - 0.93), abs(inverted - 0.12), abs(cheating - 0.8), abs(cheating - floor - 0.02)) < 1e-3
    assert near or kind == (RANKS if leads else SCREENS)


def test_a_reason_that_holds_on_several_tasks_is_told_once() -> None:
    planted = [*runs({"0": 0.1}), *oracle(DOSES | {"0": 0.1}, task="fauna/multi:cat")]
    why = "the truth is not surely better than noise on fauna/multi:bird and fauna/multi:cat"
    assert verdict(sources(runs=planted)) == (NOT_HERE, why)


def test_of_several_rises_with_noise_the_largest_is_told() -> None:
    found = verdict(sources(runs=runs({"0.25": 0.3, "0.5": 0.5, "0.75": 0.6})))
    assert found == (NOT_HERE, "noise 0.75 is surely better than noise 0.25 on fauna/multi:bird")


def test_without_results_or_planted_runs_there_are_no_verdicts() -> None:
    assert Cards(sources([], [])).verdicts.empty
    assert Cards(sources(runs=[])).verdicts.empty
    assert list(Cards(sources([], [])).verdicts) == ["metric", "dataset", "verdict", "reason"]


def test_verdicts_do_not_depend_on_the_order_of_rows() -> None:
    given = sources(results(DISORDER))
    shuffled = Sources(
        *(table.sample(frac=1, random_state=1) for table in (given.results, given.evidence, given.planted_runs))
    )
    pd.testing.assert_frame_equal(Cards(given).verdicts, Cards(shuffled).verdicts)
