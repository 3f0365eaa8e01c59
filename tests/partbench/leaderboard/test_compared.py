from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from brute_force import compare
from planted_results import TASKS, on_all_tasks, planted, row
from statsmodels.stats.multitest import multipletests

from partbench.errors import InputError
from partbench.leaderboard.compared import Asked, compared
from partbench.leaderboard.judged import judged
from partbench.leaderboard.pairs import pairs

HIGHER = {"metric": "accuracy", "higher_is_better": True}


def rows(seeds: int = 3) -> list[dict[str, Any]]:
    made = [*on_all_tasks("srae", 0.2, seeds), *on_all_tasks("nn", 0.5, seeds), *on_all_tasks("cae", 0.2, seeds)]
    made += on_all_tasks("srae", 0.2, seeds, **HIGHER) + on_all_tasks("nn", 0.2005, seeds, **HIGHER)
    return made + [row(name, "multi", 0.3 + 0.1 * s, seed=s) for name in ("srae", "nn") for s in range(seeds)]


def of(labels: tuple[str, str] = ("srae", "nn"), **asked: Any) -> pd.DataFrame:
    return compared(*planted(rows()), labels, Asked(**asked))


def test_every_board_and_metric_of_both_has_a_row_that_agrees_with_the_leaderboard() -> None:
    found = of()
    assert found[["board", "metric"]].to_numpy().tolist() == [
        ["fauna/multi", "locality"], ["fauna/multi:*", "accuracy"], ["fauna/multi:*", "locality"],
    ]  # fmt: skip
    assert found["verdict"].tolist() == ["not separated", "not separated", "a better"]
    ranked = pairs(*planted(rows()))
    ranked = ranked[(ranked["a"] == "nn") & (ranked["b"] == "srae")].set_index(["board", "metric"])
    for mine in found.to_dict("records"):
        theirs = ranked.loc[(mine["board"], mine["metric"])]
        assert mine["difference"] == pytest.approx(-theirs["difference"])
        assert (mine["p"], mine["images"]) == (pytest.approx(theirs["p"]), theirs["images"])


def test_where_the_board_compares_the_two_its_verdict_stands_whatever_is_asked_for() -> None:
    ranked = pairs(*planted(rows())).set_index(["board", "metric", "a", "b"])
    for found in (of(), of(metric="locality", task="fauna/multi"), of(task="fauna/multi:*"), of(("nn", "srae"))):
        assert set(found["family"]) == {"board"}
        for mine in found.to_dict("records"):
            theirs = ranked.loc[(mine["board"], mine["metric"], "nn", "srae")]
            assert (mine["p"], mine["p_adjusted"]) == (theirs["p"], theirs["p_adjusted"])
            swapped = {"a better": "b better", "b better": "a better"}.get(theirs["verdict"], theirs["verdict"])
            assert mine["verdict"] == (theirs["verdict"] if mine["a"] == "nn" else swapped)


def test_elsewhere_p_is_adjusted_over_the_lines_that_are_shown_in_other_words() -> None:
    made = [*rows(), *on_all_tasks("srae", 0.35, variant="k=2"), *on_all_tasks("srae", 0.4, variant="k=2", **HIGHER)]
    found = compared(*planted(made), ("srae (k=2)", "nn"))
    assert set(found["family"]) == {"lines"}
    assert found["p_adjusted"].tolist() == pytest.approx(multipletests(found["p"], method="holm")[1])
    assert found["verdict"].tolist() == ["a ahead", "a ahead"]
    some = of(task="fauna/multi:c*", metric="locality").iloc[0]
    assert (some["verdict"], some["family"], some["p_adjusted"]) == ("a ahead", "lines", some["p"])
    others = compared(*planted(rows()), ("srae", "nn"), whole=False)
    assert set(others["family"]) == {"lines"}


def test_tasks_are_chosen_by_a_glob_and_a_metric_by_its_name() -> None:
    found = of(task="fauna/multi:c*", metric="locality")
    assert found[["board", "tasks", "images"]].to_numpy().tolist() == [["fauna/multi:*", 1, 50]]


def test_new_categories_need_four_tasks() -> None:
    with pytest.raises(InputError, match="in four tasks or more"):
        of(scope="new")
    made = [row(name, f"t{t}", v + 0.01 * t, seed=s) for t in range(4) for s in (0, 1) for name, v in PAIR]
    found = compared(*planted(made), ("srae", "nn"), Asked(scope="new"))
    assert found[["tasks", "scope", "verdict"]].to_numpy().tolist() == [[4, "new", "a ahead"]]


PAIR = (("srae", 0.2), ("nn", 0.5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("srae", "nobody")}, "no explainer with results named 'nobody'"),
        ({"labels": ("srae", "srae")}, "compared with itself"),
        ({"metric": "acuracy"}, "did you mean 'accuracy'"),
        ({"task": "cub/*"}, "no results of task 'cub/\\*'; there are those of fauna/multi, fauna/multi:\\*$"),
        ({"task": "fauna/mutli:*"}, "no results of task 'fauna/mutli:\\*'; did you mean 'fauna/multi:\\*'"),
        ({"task": "fauna/multi:brid"}, "no results of task 'fauna/multi:brid'; did you mean 'fauna/multi:bird'"),
        ({"labels": ("srae", "cae"), "metric": "accuracy"}, "no board has results of 'srae' and 'cae'"),
    ],
)
def test_mistakes_end_in_a_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        of(**changes)


def test_single_seeds_are_marked() -> None:
    assert compared(*planted(rows(seeds=1)), ("srae", "nn"))["one_seed"].all()
    assert len(TASKS) == 3


def test_none_is_better_than_one_whose_mean_over_all_its_images_is_better() -> None:
    """As on the leaderboard: on the images of both nn is better, and srae on average."""
    table, images = planted(rows())
    far = (images["explainer"] == "srae") & images["unit"].isin([f"bird {i}" for i in range(3)])
    none = (images["explainer"] == "nn") & images["unit"].isin([f"bird {i}" for i in range(3)])
    flipped = table["metric"].eq("locality") & table["explainer"].eq("srae")
    table["value"] = table["value"].where(~flipped, 0.9)
    images["value"] = images["value"].where(~none).where(~far, -99)
    found = compared(table, images, ("srae", "nn"), Asked("fauna/multi:*", "locality")).iloc[0]
    assert found["p_adjusted"] < 0.01
    assert found["verdict"] == "not separated"


def test_intervals_of_differences_stay_within_the_span_of_the_metric() -> None:
    made = [row(name, "cat", value, 0.9, seed=s, low_bound=0.0, high_bound=1.0)
            for name, value in (("srae", 0.1), ("nn", 0.9)) for s in (0, 1)]  # fmt: skip
    found = compared(*planted(made), ("srae", "nn")).iloc[0]
    assert found["low"] == -1
    assert -0.8 < found["high"] < 1


def against_nn(rows: list[dict[str, Any]]) -> pd.Series:
    """srae against nn, in the metric of the rows."""
    return compared(*planted(rows), ("srae", "nn"), Asked(metric=str(rows[0]["metric"]))).iloc[0]


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
    row_ = against_nn(rows)
    assert (row_["low"], row_["high"]) == pytest.approx(expected.these.interval())
    assert (row_["difference"], row_["p"]) == pytest.approx((expected.these.difference, expected.these.p))
    assert (row_["images"], row_["of_images"], row_["better"]) == (200, 200, pytest.approx(expected.better))


@pytest.mark.parametrize(("higher", "verdict"), [(False, "a better"), (True, "b better")])
def test_a_verdict_turns_with_the_direction_of_the_metric(higher: bool, verdict: str) -> None:
    found = against_nn(shifted(lambda t, s: -0.5, higher_is_better=higher))
    assert found["verdict"] == verdict
    assert found["better"] == pytest.approx(float(verdict == "a better"), abs=0.1)


def test_seeds_that_disagree_separate_nothing_and_a_single_one_is_marked() -> None:
    found = against_nn(shifted(lambda t, s: (-1) ** s * 0.5 + 0.1, tasks=1, seeds=4))
    assert found["low"] < 0 < found["high"]
    assert (found["verdict"], found["one_seed"]) == ("not separated", False)
    one = against_nn(shifted(lambda t, s: 0.5, tasks=1, seeds=1))
    assert (one["verdict"], one["one_seed"]) == ("b better", True)


def test_the_difference_is_the_mean_over_seeds_then_tasks() -> None:
    rows = [row(name, "t0", value) for name, value in (("srae", 1.0), ("nn", 4.0))]
    for seed in range(2):
        rows += [row("srae", "t1", 3.0 + seed, seed=seed), row("nn", "t1", 3.0, seed=seed)]
    assert against_nn(rows)["difference"] == pytest.approx((-3 + 0.5) / 2)


def test_only_tasks_of_both_are_compared() -> None:
    rows = [row("srae", "cat", 1.0), row("srae", "cat", 9.0, seed=1), row("nn", "cat", 2.0), row("nn", "dog", 9.0)]
    found = against_nn(rows)
    assert (found["images"], found["difference"]) == (50, pytest.approx(3.0))
