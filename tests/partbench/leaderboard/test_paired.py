from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from planted_results import on_all_tasks, planted, row

from partbench.functional.statistics import compare
from partbench.leaderboard.paired import comparisons
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


def test_only_tasks_of_both_are_compared() -> None:
    rows = [row("srae", "cat", 1.0), row("srae", "cat", 9.0, seed=1), row("nn", "cat", 2.0), row("nn", "dog", 9.0)]
    found = compared(rows)
    assert (found["images"], found["difference"]) == (50, pytest.approx(3.0))


def test_others_come_in_the_order_asked_for_and_unknown_ones_not_at_all() -> None:
    rows = [r for name in ("srae", "nn", "cae") for r in on_all_tasks(name, 1.0)]
    found = comparisons(judged(*planted(rows)), "srae", ["nn", "nobody", "cae", "nn"])
    assert found["other"].tolist() == ["nn", "cae"]
    assert comparisons(judged(*planted(rows)), "srae", ["nn"], ["accuracy"]).empty
