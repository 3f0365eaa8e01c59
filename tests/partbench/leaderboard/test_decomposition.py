from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_results import INSTABILITY, ORDINARY, cell, cells, flat, located, planted

from partbench.functional.statistics import ratio_of_means
from partbench.leaderboard.build import pages
from partbench.leaderboard.current import current
from partbench.leaderboard.decomposition import gain_decomposition, gain_section
from partbench.leaderboard.judged import judged
from partbench.leaderboard.sources import Sources


def found_in(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table, images = planted(rows)
    return gain_decomposition(table, judged(table, images))


def only(rows: list[dict[str, Any]], metric: str = INSTABILITY) -> pd.Series:
    [found] = [row for _, row in found_in(rows).iterrows() if row["metric"] == metric]
    return found


def test_the_ratio_is_that_of_the_means_with_the_interval_of_the_evidence() -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.2, (4, 3))
    rows = cells(ORDINARY, lambda t, s: located(values[t, s], 0.2))
    rows += cells("interp_cnn", lambda t, s: located(0.6 * values[t, s], 0.2))
    rows += cell("interp_cnn", "of one side", 0, {INSTABILITY: 9.0})
    found = only(rows)
    table, images = planted(rows)
    board = next(b for b in judged(table, images).boards if b.aligned.metric == INSTABILITY)
    mine, theirs = (board.aligned.evidence(name) for name in ("interp_cnn", ORDINARY))
    expected = ratio_of_means(mine, theirs, board.pairing("interp_cnn", ORDINARY))
    assert found[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx(list(expected))
    assert found["ratio"] == pytest.approx(0.6)
    assert (found["explainer"], found["other"], found["tasks"]) == ("interp_cnn", ORDINARY, 4)


def test_tasks_weigh_the_same_whatever_their_number_of_seeds() -> None:
    rows = [row for s in range(3) for row in cell("interp_cnn", "many", s, {"part_interpretability": 0.3})]
    rows += [row for s in range(3) for row in cell(ORDINARY, "many", s, {"part_interpretability": 0.1})]
    rows += cell("interp_cnn", "one", 0, {"part_interpretability": 0.7})
    rows += cell(ORDINARY, "one", 0, {"part_interpretability": 0.3})
    found = only(rows, "part_interpretability")
    assert found["ratio"] == pytest.approx((0.3 + 0.7) / (0.1 + 0.3))
    assert np.isnan(found["gain"])


def test_another_whose_mean_is_0_leaves_no_ratio() -> None:
    rows = cells("interp_cnn", lambda t, s: {"part_interpretability": 0.2})
    rows += cells(ORDINARY, lambda t, s: {"part_interpretability": 0.0})
    for row in rows:
        row["low"], row["high"] = (row["value"] - 0.001, row["value"] + 0.001) if row["value"] else (0.0, 0.0)
    assert only(rows, "part_interpretability")[["ratio", "ratio_low"]].isna().all()


numbers = st.lists(st.floats(0.01, 0.2), min_size=24, max_size=24)


@given(numbers, numbers, numbers, numbers)
@settings(max_examples=5, deadline=None)
def test_the_gain_is_a_lower_null_and_part_following(a: list, b: list, c: list, d: list) -> None:
    rows = cells("interp_cnn", lambda t, s: located(a[3 * t + s], b[3 * t + s]))
    found = only(rows + cells(ORDINARY, lambda t, s: located(c[3 * t + s], d[3 * t + s])))
    assert found["gain"] == pytest.approx(np.mean(c[:12]) - np.mean(a[:12]))
    assert found["lower_null"] + found["part_following"] == pytest.approx(found["gain"])
    assert found["rest"] == pytest.approx(0, abs=1e-12)


def test_a_constant_position_gains_by_a_lower_null_alone() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.07, 0.07, accuracy=0.8))
    found = only(rows + cells(ORDINARY, lambda t, s: located(0.15, 0.15)))
    assert found[["gain", "lower_null", "part_following"]].tolist() == pytest.approx([0.08, 0.08, 0])
    assert found[["part_following_low", "part_following_high"]].tolist() == pytest.approx([0, 0], abs=0.001)
    assert found[["accuracy", "accuracy_low", "accuracy_high"]].tolist() == pytest.approx([-0.1] * 3, abs=0.001)


def test_a_tracker_with_the_same_spread_gains_by_following_alone() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.05, 0.15))
    found = only(rows + cells(ORDINARY, lambda t, s: located(0.15, 0.15)))
    assert found[["gain", "lower_null", "part_following"]].tolist() == pytest.approx([0.1, 0, 0.1])


def test_what_the_choice_of_category_adds_is_shown_where_there_is_any() -> None:
    ours = located(0.05, 0.12) | {"part_following": 0.06}
    rows = [row for s in range(3) for row in cell("interp_cnn", "multi", s, ours)]
    rows += [row for s in range(3) for row in cell(ORDINARY, "multi", s, located(0.15, 0.15))]
    found = only(rows)
    assert (found["board"], found["rest"]) == ("fauna/multi", pytest.approx(0.1 - 0.03 - 0.06))
    table, images = planted(rows)
    page = flat("\n".join(gain_section(current(table), judged(table, images))))
    assert "| lower null | part_following | rest |" in page
    assert "Rest: " in page
    assert "| 0.100 | 0.030 | 0.060 (0.059 to 0.061) | 0.010 |" in page


def test_a_task_without_a_null_leaves_no_split_and_one_without_accuracy_no_difference() -> None:
    rows = cells("interp_cnn", lambda t, s: {INSTABILITY: 0.1} if t == 1 else located(0.1, 0.2))
    found = only(rows + cells(ORDINARY, lambda t, s: located(0.2, 0.2)))
    assert found["gain"] == pytest.approx(0.1)
    assert found[["lower_null", "part_following", "part_following_low", "accuracy", "accuracy_low"]].isna().all()


def test_each_explainer_is_compared_with_the_one_that_its_rows_name_ablations_last() -> None:
    def made(name: str, **changes: Any) -> list[dict[str, Any]]:
        return cells(name, lambda t, s: located(0.1, 0.1), **changes)

    rows = [*made("top_conv"), *made(ORDINARY), *made("srae"), *made("interp_cnn (mask=false)")]
    rows += made("autoencoder", compared_with="top_conv")
    rows += made("interp_cnn (loss=false)", control="ablation")
    rows += made("cae", compared_with="sae")  # which nobody ran
    found = found_in(rows)
    assert list(zip(found["explainer"], found["other"], strict=True)) == [
        ("autoencoder", "top_conv"),
        ("interp_cnn (mask=false)", ORDINARY),
        ("interp_cnn (loss=false)", ORDINARY),
    ]


def test_published_ratios_stand_beside_a_papers_own_explainer_but_not_its_ablations() -> None:
    rows = cells(ORDINARY, lambda t, s: located(0.2, 0.2), binary=True)
    for name, control in (("interp_cnn (mask=false)", ""), ("interp_cnn (loss=false)", "ablation")):
        rows += cells(name, lambda t, s: located(0.1, 0.1), binary=True, control=control)
    printed = found_in(rows).set_index("explainer")["published"]
    assert "pascal_part" in printed["interp_cnn (mask=false)"]
    assert printed["interp_cnn (loss=false)"] == ""


def test_without_the_other_there_is_no_section() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.1, 0.1)) + cells("top_conv", lambda t, s: located(0.2, 0.2))
    assert found_in(rows).empty
    assert "Decomposition of the gain" not in pages(Sources(*planted(rows)), {})["fauna/multi.each.md"]


def test_boards_are_compared_apart() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.1, 0.1)) + cells(ORDINARY, lambda t, s: located(0.2, 0.2))
    there = {"dataset": "animal_part"}
    rows += cells("interp_cnn", lambda t, s: located(0.1, 0.1), **there)
    rows += cells(ORDINARY, lambda t, s: located(0.4, 0.2), **there)
    assert found_in(rows).set_index("board")["ratio"].to_dict() == pytest.approx(
        {"animal_part/multi:*": 0.25, "fauna/multi:*": 0.5}
    )
