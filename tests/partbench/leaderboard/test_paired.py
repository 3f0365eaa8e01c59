from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted_results import INSTABILITY, ORDINARY, cells, located, on_all_tasks, planted, row

from partbench.functional.statistics import compare
from partbench.leaderboard.paired import _holds, _printed, comparisons, directions
from partbench.leaderboard.verdicts import judged


def compared(rows: list[dict[str, Any]]) -> pd.Series:
    """srae against nn."""
    return comparisons(judged(*planted(rows)), "srae", ["nn"]).iloc[0]


def shifted(difference: Callable[[int, int], float], tasks: int = 4, seeds: int = 3, **changes: Any) -> list:
    """srae is nn plus a difference."""
    rows = []
    for t in range(tasks):
        for s in range(seeds):
            where = {"seed": s, **changes}
            rows += [row("nn", f"t{t}", 1.0, **where), row("srae", f"t{t}", 1.0 + difference(t, s), **where)]
    return rows


def test_the_difference_is_that_of_the_evidence_of_images() -> None:
    rows = shifted(lambda t, s: 0.01 * t + 0.002 * s - 0.005, seeds=2)
    found = judged(*planted(rows))
    [board] = found.boards
    expected = compare(board.aligned.evidence("srae"), board.aligned.evidence("nn"), board.pairing("srae", "nn"))
    row_ = comparisons(found, "srae", ["nn"]).iloc[0]
    assert (row_["low"], row_["high"]) == pytest.approx(expected.these.interval())
    assert (row_["difference"], row_["p"]) == pytest.approx((expected.these.difference, expected.these.p))
    assert (row_["images"], row_["of_images"], row_["better"]) == (200, 200, pytest.approx(expected.better))


@pytest.mark.parametrize(("higher", "verdict"), [(False, "better"), (True, "worse")])
def test_a_verdict_turns_with_the_direction_of_the_metric(higher: bool, verdict: str) -> None:
    found = compared(shifted(lambda t, s: -0.5, higher_is_better=higher))
    assert found["verdict"] == verdict
    assert found["better"] == pytest.approx(float(verdict == "better"), abs=0.1)


def test_seeds_that_disagree_separate_nothing_and_a_single_one_is_marked() -> None:
    found = compared(shifted(lambda t, s: (-1) ** s * 0.5 + 0.1, tasks=1, seeds=4))
    assert found["low"] < 0 < found["high"]
    assert (found["verdict"], found["one_seed"]) == ("not separated", False)
    one = compared(shifted(lambda t, s: 0.5, tasks=1, seeds=1))
    assert (one["verdict"], one["one_seed"]) == ("worse", True)


def test_the_difference_is_the_mean_over_seeds_then_tasks() -> None:
    rows = [row(name, "t0", value) for name, value in (("srae", 1.0), ("nn", 4.0))]
    for seed in range(2):
        rows += [row("srae", "t1", 3.0 + seed, seed=seed), row("nn", "t1", 3.0, seed=seed)]
    assert compared(rows)["difference"] == pytest.approx((-3 + 0.5) / 2)


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
        ("not comparable", "better (2 of 2)", "not comparable"),
        ("better", "", ""),
    ],
)
def test_a_published_direction_holds_where_the_verdict_is_the_same(verdict: str, published: str, holds: str) -> None:
    assert _holds(verdict, published) == holds


def test_only_tasks_of_both_are_compared() -> None:
    rows = [row("srae", "cat", 1.0), row("srae", "cat", 9.0, seed=1), row("nn", "cat", 2.0), row("nn", "dog", 9.0)]
    found = compared(rows)
    assert (found["images"], found["difference"]) == (50, pytest.approx(3.0))


def test_others_come_in_the_order_asked_for_and_unknown_ones_not_at_all() -> None:
    rows = [r for name in ("srae", "nn", "cae") for r in on_all_tasks(name, 1.0)]
    found = comparisons(judged(*planted(rows)), "srae", ["nn", "nobody", "cae", "nn"])
    assert found["other"].tolist() == ["nn", "cae"]
    assert comparisons(judged(*planted(rows)), "srae", ["nn"], ["accuracy"]).empty


def directions_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table, images = planted(rows)
    return directions(table, judged(table, images))


def test_the_papers_direction_holds_where_both_agree() -> None:
    found = directions_of(shifted(lambda t, s: -0.5, metric="orthogonality_frobenius")).iloc[0]
    assert (found["explainer"], found["other"], found["published"]) == ("srae", "nn", "better (2 of 2)")
    assert found["holds"] == "yes"
    opposite = directions_of(shifted(lambda t, s: 0.5, metric="orthogonality_frobenius"))
    assert opposite.iloc[0]["holds"] == "no"


def paired_with(partner: str, **changes: str) -> pd.DataFrame:
    """Directions of a paper's own explainer whose rows name that partner, on boards with and without it."""
    there = {"dataset": "animal_part"}
    rows = [row for name in ("top_conv", ORDINARY) for row in cells(name, lambda t, s: located(0.15, 0.15))]
    rows += cells("top_conv", lambda t, s: located(0.15, 0.15), **there)
    for place in ({}, there):
        rows += cells("interp_cnn", lambda t, s: located(0.1, 0.1), compared_with=partner, **place, **changes)
    found = directions_of(rows)
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
