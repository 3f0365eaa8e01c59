from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from planted_results import INSTABILITY, ORDINARY, cells, frame, located, row

from partbench.leaderboard.paired import MIN_CELLS, _holds, _printed, comparisons, directions, resampled_means


def planted(difference: Callable[[int, int], float], tasks: int = 4, seeds: int = 3) -> pd.DataFrame:
    """srae is nn plus a difference; what both share on a task and seed is far larger than it."""
    rows = []
    random = np.random.default_rng(1)
    for t in range(tasks):
        for s in range(seeds):
            shared = 10 * random.normal()
            rows += [row("nn", f"t{t}", shared, seed=s), row("srae", f"t{t}", shared + difference(t, s), seed=s)]
    return frame(rows)


def test_pairing_finds_a_small_difference_under_large_shared_noise() -> None:
    random = np.random.default_rng(2)
    found = comparisons(planted(lambda t, s: -0.5 + 0.1 * random.normal()), "srae", ["nn"], ["locality"]).iloc[0]
    assert found["difference"] == pytest.approx(-0.5, abs=0.1)
    assert found["low"] < found["difference"] < found["high"] < 0
    assert (found["wins"], found["cells"], found["verdict"]) == (12, 12, "better")


def test_a_verdict_turns_with_the_direction_of_the_metric() -> None:
    table = planted(lambda t, s: -0.5).assign(higher_is_better=True)
    found = comparisons(table, "srae", ["nn"]).iloc[0]
    assert (found["wins"], found["verdict"]) == (0, "worse")


def test_differences_of_both_signs_are_not_separated() -> None:
    found = comparisons(planted(lambda t, s: (-1) ** t * 0.5), "srae", ["nn"]).iloc[0]
    assert found["low"] < 0 < found["high"]
    assert found["verdict"] == "not separated"


@pytest.mark.parametrize(("pairs", "verdict"), [(1, "not separated"), (5, "not separated"), (6, "better")])
def test_a_verdict_takes_as_many_pairs_as_a_sign_test(pairs: int, verdict: str) -> None:
    found = comparisons(planted(lambda t, s: -0.5, tasks=1, seeds=pairs), "srae", ["nn"]).iloc[0]
    assert (found["wins"], found["verdict"]) == (pairs, verdict)


def test_the_smallest_number_of_pairs_is_the_first_that_a_sign_test_can_reject_with() -> None:
    assert 2 * 0.5**MIN_CELLS < 0.05 < 2 * 0.5 ** (MIN_CELLS - 1)


def test_the_difference_is_the_mean_over_seeds_then_tasks_and_equal_values_are_no_win() -> None:
    rows = [row(name, "t0", value) for name, value in (("srae", 1.0), ("nn", 4.0))]
    for seed in range(2):
        rows += [row("srae", "t1", 3.0 + seed, seed=seed), row("nn", "t1", 3.0, seed=seed)]
    found = comparisons(frame(rows), "srae", ["nn"]).iloc[0]
    assert (found["difference"], found["wins"], found["cells"]) == ((-3 + 0.5) / 2, 1, 3)


@pytest.mark.parametrize(
    ("difference", "higher", "verdict"),
    [(0.0, True, "not separated"), (0.0, False, "not separated"), (0.1, True, "better"), (0.1, False, "worse")],
)
def test_an_interval_that_touches_0_separates_nothing(difference: float, higher: bool, verdict: str) -> None:
    shared = [2.0, 7.0, 1.0, 8.0, 2.0, 8.0]
    rows = [row("srae", "t", value + difference, seed=seed) for seed, value in enumerate(shared)]
    rows += [row("nn", "t", value, seed=seed) for seed, value in enumerate(shared)]
    found = comparisons(frame(rows).assign(higher_is_better=higher), "srae", ["nn"]).iloc[0]
    assert found[["low", "high"]].tolist() == pytest.approx([difference] * 2)
    assert (found["verdict"], found["wins"]) == (verdict, 6 if verdict == "better" else 0)


def test_resampled_means_resample_the_seeds_of_each_task_and_the_tasks() -> None:
    random = np.random.default_rng(0)
    tasks = [random.normal(size=5), random.normal(10, 1, size=3)]
    drawn = resampled_means(tasks)
    sd = np.sqrt(sum(task.var() / len(task) for task in tasks) * 3 / 8 + np.ptp([t.mean() for t in tasks]) ** 2 / 8)
    assert drawn.mean() == pytest.approx(np.mean([task.mean() for task in tasks]), abs=0.2)
    assert drawn.std() == pytest.approx(sd, rel=0.1)
    np.testing.assert_allclose(resampled_means([2 * task for task in tasks]), 2 * drawn)


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ([], ""),
        ([0.5], "better (1 of 1)"),
        ([-1.0, -0.1], "worse (2 of 2)"),
        ([1.0, -1.0, 2.0], "mixed (better in 2 of 3)"),
        ([1.0, 0.0], "mixed (better in 1 of 2)"),
        ([0.0, -1.0], "mixed (better in 0 of 2)"),
    ],
)
def test_what_a_paper_found_counts_its_tables(differences: list[float], said: str) -> None:
    assert _printed(np.array(differences)) == said


@pytest.mark.parametrize(
    ("verdict", "published", "holds"),
    [
        ("better", "better (2 of 2)", "yes"),
        ("worse", "better (2 of 2)", "no"),
        ("worse", "worse (1 of 1)", "yes"),
        ("not separated", "worse (1 of 1)", "not separated"),
        ("better", "mixed (better in 1 of 2)", ""),
        ("better", "", ""),
    ],
)
def test_a_published_direction_holds_where_the_verdict_is_the_same(verdict: str, published: str, holds: str) -> None:
    assert _holds(verdict, published) == holds


def test_only_tasks_and_seeds_of_both_are_compared() -> None:
    rows = [row("srae", "cat", 1.0), row("srae", "cat", 9.0, seed=1), row("nn", "cat", 2.0), row("nn", "dog", 9.0)]
    found = comparisons(frame(rows), "srae", ["nn"]).iloc[0]
    assert (found["cells"], found["difference"]) == (1, -1.0)


def test_the_papers_direction_holds_where_both_agree() -> None:
    table = planted(lambda t, s: -0.5).assign(metric="orthogonality_frobenius")
    found = directions(table).iloc[0]
    assert (found["explainer"], found["other"], found["published"]) == ("srae", "nn", "better (2 of 2)")
    assert found["holds"] == "yes"
    opposite = planted(lambda t, s: 0.5).assign(metric="orthogonality_frobenius")
    assert directions(opposite).iloc[0]["holds"] == "no"


def paired_with(partner: str, **changes: str) -> pd.DataFrame:
    """Directions of a paper's own explainer whose rows name that partner, on boards with and without it."""
    there = {"dataset": "animal_part"}
    rows = [row for name in ("top_conv", ORDINARY) for row in cells(name, lambda t, s: located(0.15, 0.15))]
    rows += cells("top_conv", lambda t, s: located(0.15, 0.15), **there)
    for place in ({}, there):
        rows += cells("interp_cnn", lambda t, s: located(0.1, 0.1), compared_with=partner, **place, **changes)
    found = directions(frame(rows))
    return found[found["metric"] == INSTABILITY].set_index("board")


def test_options_that_an_explainer_names_stand_for_the_other_where_a_board_has_them() -> None:
    found = paired_with(ORDINARY)
    assert found["other"].to_dict() == {"animal_part/multi:*": "top_conv", "fauna/multi:*": ORDINARY}
    fauna = found.loc["fauna/multi:*"]
    assert fauna["published"].startswith("better (")
    assert (fauna["verdict"], fauna["holds"]) == ("better", "yes")


@pytest.mark.parametrize("partner", ["", "srae", "top_conv (network=unknown)"])
def test_without_such_a_partner_the_papers_other_is_the_one_of_default_options(partner: str) -> None:
    assert paired_with(partner)["other"].tolist() == ["top_conv", "top_conv"]


@pytest.mark.parametrize("control", ["floor", "ablation"])
def test_floors_and_ablations_are_not_asked_for_the_papers_direction(control: str) -> None:
    assert paired_with(ORDINARY, control=control).empty
    assert len(paired_with(ORDINARY, control="baseline")) == 2
