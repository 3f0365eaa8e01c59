from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from brute_force import compare
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_results import TASKS, evidence, frame, on_all_tasks, planted, row, standing

from partbench.functional.statistics import Evidence, Pairing
from partbench.leaderboard.pairs import pairs
from partbench.leaderboard.standings import standings


def test_the_value_is_the_mean_over_seeds_then_over_tasks() -> None:
    rows = [row("srae", "cat", 1.0, seed=0), row("srae", "cat", 3.0, seed=1), row("srae", "dog", 5.0, seed=0)]
    found = standing(standings(*planted(rows)), "srae")
    assert found["value"] == pytest.approx((2.0 + 5.0) / 2)
    assert (found["tasks"], found["seeds"], found["images"], found["coverage"]) == (2, "0 1", 100, "2/2")


def test_there_is_no_mean_over_unequal_sets_of_tasks() -> None:
    table = standings(*planted([*on_all_tasks("srae", 1.0), row("nn", "cat", 0.1), row("nn", "dog", 0.1)]))
    incomplete = standing(table, "nn")
    assert np.isnan(incomplete["value"])
    assert incomplete[["rank_low", "rank_high"]].isna().all()
    assert incomplete["coverage"] == "2/3"
    assert standing(table, "srae")[["rank_low", "rank_high"]].tolist() == [1, 1]


@pytest.mark.parametrize("missing", [{"value": None}, {"value": 0.1, "status": "failed", "reason": "out of memory"}])
def test_a_task_is_not_covered_if_one_of_its_seeds_has_no_value(missing: dict[str, Any]) -> None:
    rows = [*on_all_tasks("srae", 1.0), *on_all_tasks("nn", 0.5, seeds=2)]
    rows.append(row("nn", "cat", missing.pop("value"), seed=2, **missing))
    assert standing(standings(*planted(rows)), "nn")["coverage"] == "2/3"


def test_tasks_that_nobody_covers_are_not_asked_for_and_have_no_part_in_intervals() -> None:
    rows = [*on_all_tasks("srae", 1.0), row("srae", "cow", 9.0), row("srae", "cow", None, seed=1)]
    found = standing(standings(*planted(rows)), "srae")
    alone = standing(standings(*planted(on_all_tasks("srae", 1.0))), "srae")
    assert found["coverage"] == "3/3"
    assert found[["value", "low", "high"]].equals(alone[["value", "low", "high"]])


def test_boards_are_ranked_apart() -> None:
    names = ("multi:cat", "multi", "cat", "multi:cat@lite0_head", "attribute-wild")
    rows = [row("srae", "cat", float(i), task=f"fauna/{name}", seed=s) for i, name in enumerate(names) for s in (0, 1)]
    table = standings(*planted(rows)).set_index("board")
    boards = ("multi:*", "multi", "*", "multi:*@lite0_head", "attribute-*")
    assert table["value"].to_dict() == {f"fauna/{board}": float(i) for i, board in enumerate(boards)}
    assert (table["rank_low"] == 1).all()


def test_variants_of_an_explainer_stand_apart_and_only_the_default_one_has_a_rank() -> None:
    rows = [*on_all_tasks("srae", 1.0), *on_all_tasks("srae", 0.5, variant="profile=released")]
    table = standings(*planted(rows))
    assert table["variant"].tolist() == ["", "profile=released"]
    assert table["value"].tolist() == [1.0, 0.5]
    assert table["rank_low"].notna().tolist() == [True, False]


def random_rows(seeds: int = 3) -> list[dict[str, Any]]:
    random = np.random.default_rng(3)
    rows = []
    for explainer, metric in itertools.product(("a", "b", "c", "d"), ("locality", "accuracy")):
        for category, seed in itertools.product(TASKS, range(seeds)):
            if random.random() < 0.9:
                value = None if random.random() < 0.05 else float(random.normal())
                rows.append(row(explainer, category, value, float(random.uniform(0.05, 0.2)), metric=metric, seed=seed))
    return [*rows, row("none", "cat", None, status="failed", reason="no maps")]


def test_intervals_are_those_of_a_comparison_with_zero() -> None:
    """Step by step, from the rows of each explainer."""
    rows, images = planted(random_rows())
    table = standings(rows.sample(frac=1, random_state=0), images.sample(frac=1, random_state=0))
    assert len(table) == 9
    assert 0 < table["value"].notna().sum() < 9
    for found in table[table["value"].notna()].to_dict("records"):
        mine = images[(images["explainer"] == found["explainer"]) & (images["metric"] == found["metric"])]
        sides: tuple[dict[str, Evidence], dict[str, Evidence]] = ({}, {})
        for task, of_task in mine.groupby("task"):
            wide = of_task.pivot(index="seed", columns="unit", values="value")
            sides[0][str(task)] = Evidence(tuple(wide.columns), wide.to_numpy())
            sides[1][str(task)] = Evidence(tuple(wide.columns), np.zeros((1, len(wide.columns))))
        expected = compare(*sides, Pairing(deterministic=(False, True))).these
        assert found["value"] == pytest.approx(expected.difference)
        assert (found["low"], found["high"]) == pytest.approx(expected.interval())


def test_standings_are_the_same_whatever_the_order_of_rows_and_images() -> None:
    rows, images = planted(random_rows())
    shuffled = standings(rows.sample(frac=1, random_state=1), images.sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(standings(rows, images), shuffled)


def test_without_evidence_of_images_there_is_a_value_and_no_interval_and_no_rank() -> None:
    rows = [*on_all_tasks("srae", 1.0, half=np.nan), *on_all_tasks("nn", 2.0)]
    table = standings(*planted(rows))
    assert standing(table, "srae")["value"] == 1.0
    assert standing(table, "srae")[["low", "high", "rank_low"]].isna().all()
    assert standing(table, "nn")["rank_low"] == 1


def test_what_an_explainer_reports_of_itself_has_the_interval_of_its_seeds() -> None:
    about = {"low": np.nan, "high": np.nan, "higher_is_better": None, "images": 0}
    values = np.array([0.2, 0.4, 0.9])
    rows = [row("a", "cat", v, seed=i, metric="share", **about) for i, v in enumerate(values)]
    rows += [row("b", "cat", 0.5, metric="share", **about)]
    table = standings(*planted(rows))
    half = 4.302652729911275 * values.std(ddof=1) / np.sqrt(3)  # Student's t with 2 degrees
    expected = values.mean() - half, values.mean() + half
    assert standing(table, "a", "share")[["low", "high"]].tolist() == pytest.approx(expected)
    assert standing(table, "b", "share")[["low", "high"]].isna().all()  # one seed says nothing of others
    assert table["rank_low"].isna().all()


SHARE = {"low_bound": 0.0, "high_bound": 1.0, "higher_is_better": True, "metric": "accuracy"}


def of_answers(answers: list[float], **changes: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A deterministic explainer with these values of images."""
    rows = frame([row("srae", "cat", float(np.mean(answers)), np.nan, seed=s, **SHARE, **changes) for s in (0, 1)])
    images = [
        {**{name: cell[name] for name in ("cell", "explainer", "variant", "task", "seed", "metric")}, "value": value}
        | {"unit": str(i)}
        for cell in rows.to_dict("records")
        for i, value in enumerate(answers)
    ]
    return rows, pd.DataFrame(images)


def test_shares_of_which_all_images_agree_have_an_interval_of_some_width_within_the_bounds() -> None:
    """24 of 24: Wilson's lower limit of a share is n / (n + z^2)."""
    found = standings(*of_answers([1.0] * 24)).iloc[0]
    assert (found["low"], found["high"]) == (pytest.approx(24 / (24 + 1.959964**2), abs=1e-6), 1)
    nothing = standings(*of_answers([0.0] * 24)).iloc[0]
    assert (nothing["low"], nothing["high"]) == (0, pytest.approx(1 - found["low"]))
    half = standings(*of_answers([0.5] * 24)).iloc[0]
    assert 0 < half["low"] < 0.5 < half["high"] < 1


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
@settings(max_examples=15, deadline=None)
def test_intervals_lie_within_the_bounds_of_the_metric_and_hold_the_value(answers: list[float]) -> None:
    found = standings(*of_answers(answers)).iloc[0]
    assert 0 <= found["low"] <= found["value"] + 1e-12
    assert found["value"] - 1e-12 <= found["high"] <= 1
    assert found["low"] < found["high"]


def test_explainers_that_are_not_separated_share_ranks() -> None:
    planted_values = {"a": 1.0, "b": 1.05, "c": 1.3, "d": 2.0}
    rows = [r for name, value in planted_values.items() for r in on_all_tasks(name, value, half=0.1)]
    table = standings(*planted(rows)).set_index("explainer")
    assert table["rank_low"].to_dict() == {"a": 1, "b": 1, "c": 3, "d": 4}
    assert table["rank_high"].to_dict() == {"a": 2, "b": 2, "c": 3, "d": 4}
    assert table["best"].to_dict() == {"a": True, "b": True, "c": False, "d": False}


@given(st.permutations([0.1, 0.4, 0.7, 0.95]), st.booleans())
@settings(max_examples=5, deadline=None)
def test_ranks_follow_planted_values_in_either_direction(values: list[float], higher: bool) -> None:
    rows = [r for i, v in enumerate(values) for r in on_all_tasks(f"e{i}", v, seeds=2, higher_is_better=higher)]
    order = np.argsort(np.argsort([-v if higher else v for v in values])) + 1
    table = standings(*planted(rows))
    assert table["rank_low"].tolist() == table["rank_high"].tolist() == order.tolist()


def test_an_explainer_with_one_seed_is_marked_and_has_no_rank_unless_it_is_deterministic() -> None:
    rows = [*on_all_tasks("a", 0.5), *on_all_tasks("one", 0.1, seeds=1), *on_all_tasks("fixed", 0.3, seeds=1)]
    rows += [row("fixed", "cat", 0.7, seed=s, task="fauna/multi") for s in range(2)]  # where its seeds agree
    table = standings(*planted(rows))
    assert standing(table, "one")["one_seed"]
    assert pd.isna(standing(table, "one")["rank_low"])
    assert not standing(table, "one")["best"]
    assert not standing(table, "fixed")["one_seed"]
    assert standing(table, "fixed")["rank_low"] == 1
    assert standing(table, "a")["rank_low"] == 2


def test_declared_determinism_counts_unless_seeds_differ() -> None:
    table, images = planted([*on_all_tasks("a", 0.5, seeds=1), row("b", "cat", 0.5), row("b", "cat", 0.6, seed=1)])
    found = standings(table.assign(deterministic=True), images).set_index("explainer")
    assert found["one_seed"].to_dict() == {"a": False, "b": False}
    assert found.loc["b", "high"] - found.loc["b", "low"] > 0.1  # its seeds are no copies
    unknown = standings(table.assign(deterministic=None), images).set_index("explainer")
    assert unknown["one_seed"].to_dict() == {"a": True, "b": False}


CONTROLS = {"none": ("floor", 0.8), "still": ("floor", 2.0), "part": ("ablation", 0.1), "bad_part": ("ablation", 1.9)}


def with_controls() -> list[dict[str, Any]]:
    values = {"good": 0.2, "overlaps": 0.79, "worse": 1.5}
    rows = [r for name, value in values.items() for r in on_all_tasks(name, value, half=0.1)]
    rows += [r for name, (kind, value) in CONTROLS.items() for r in on_all_tasks(name, value, half=0.1, control=kind)]
    return [*rows, *on_all_tasks("simple", 0.5, half=0.1, control="baseline")]


def test_floors_and_ablations_have_no_rank_and_a_baseline_has() -> None:
    table = standings(*planted(with_controls())).set_index("explainer")
    assert table["rank_low"].dropna().to_dict() == {"good": 1, "simple": 2, "overlaps": 3, "worse": 4}
    assert table.index[table["best"]].tolist() == ["good"]  # not the ablation, though its value is better
    assert table["control"].to_dict()["simple"] == "baseline"
    assert set(table["floors"]) == {2}


def test_what_is_not_surely_better_than_every_floor_is_marked_whatever_the_ablations() -> None:
    table = standings(*planted(with_controls())).set_index("explainer")
    assert table.index[table["beaten_by_control"]].tolist() == ["bad_part", "overlaps", "worse"]


def test_without_a_floor_nothing_is_marked_and_there_are_no_floors() -> None:
    table = standings(*planted(r for r in with_controls() if r.get("control") != "floor"))
    assert not table["beaten_by_control"].any()
    assert set(table["floors"]) == {0}


def test_a_floor_without_evidence_is_beaten_by_nobody() -> None:
    rows = [*on_all_tasks("still", 0.7, half=np.nan, control="floor"), *on_all_tasks("a", 0.1)]
    table, images = planted(rows)
    assert standing(standings(table, images), "a")["beaten_by_control"]
    assert evidence(table)["explainer"].unique().tolist() == ["a"]


def test_variants_of_metrics_are_not_ranked() -> None:
    table = standings(*planted(on_all_tasks("srae", 1.0, metric="locality@empty_maps")))
    assert table["rank_low"].isna().all()
    assert table["low"].notna().all()
    for mark in ("best", "beaten_by_control"):
        assert (table[mark].dtype, table[mark].tolist()) == (bool, [False])


def test_explainers_of_another_network_have_no_rank_in_metrics_of_the_network() -> None:
    rows = [
        r | {"network": network}
        for name, value, network in (("own", 0.1, "interp_cnn {}"), ("a", 0.3, ""), ("b", 0.5, ""))
        for metric in ("relative_deviation", "location_instability")
        for r in on_all_tasks(name, value, metric=metric)
    ]
    networks = [r["network"] for r in rows]
    table, images = planted(rows)
    table = standings(table.assign(network=networks), images).set_index(["metric", "explainer"])
    assert table.loc["location_instability", "rank_low"].tolist() == [2, 3, 1]
    assert table.loc["relative_deviation", "rank_low"].fillna(0).tolist() == [1, 2, 0]
    assert table.loc[("relative_deviation", "own"), "network"] == "interp_cnn {}"


def test_an_explainer_that_runs_on_one_more_task_takes_no_value_away() -> None:
    shared = [row(name, category, 0.5) for name in ("a", "b", "greedy") for category in ("bird", "cat")]
    found = standings(*planted([*shared, row("greedy", "dog", 0.1)])).set_index("explainer")
    assert found["value"].tolist() == pytest.approx([0.5, 0.5, 0.5])
    assert found["coverage"].tolist() == ["2/2", "2/2", "2/2"]


CHEAT = {"distribution": "cheat.py"}


def test_determinism_is_believed_of_our_explainers_alone_and_of_others_where_two_seeds_show_it() -> None:
    table, images = planted([*on_all_tasks("own", 0.5, seeds=1), *on_all_tasks("cheat", 0.1, seeds=1, **CHEAT)])
    found = standings(table.assign(deterministic=True), images).set_index("explainer")
    assert found["one_seed"].to_dict() == {"own": False, "cheat": True}
    assert found["rank_low"].isna().to_dict() == {"own": False, "cheat": True}
    shown, images = planted([*on_all_tasks("own", 0.5), *on_all_tasks("same", 0.1, seeds=2, **CHEAT)])
    assert standing(standings(shown.assign(deterministic=True), images), "same")["rank_low"] == 1


def test_two_seeds_of_one_task_show_a_stranger_to_be_deterministic_on_no_other() -> None:
    rows = [*on_all_tasks("own", 0.5), *on_all_tasks("cheat", 0.1, seeds=1, **CHEAT)]
    rows.append(row("cheat", "bird", 0.1, seed=1, **CHEAT))
    table, images = planted(rows)
    assert standing(standings(table.assign(deterministic=True), images), "cheat")["one_seed"]


@pytest.mark.parametrize("control", ["floor", "ablation", "baseline"])
def test_a_control_of_a_stranger_marks_nobody_and_has_a_rank_like_any_explainer(control: str) -> None:
    own = [*on_all_tasks("a", 0.3), *on_all_tasks("b", 0.5), *on_all_tasks("still", 0.8, control="floor")]
    found = standings(*planted([*own, *on_all_tasks("cheat", 0.1, control=control, **CHEAT)])).set_index("explainer")
    assert not found["beaten_by_control"].any()
    assert set(found["floors"]) == {1}
    assert (found.loc["cheat", "control"], found.loc["cheat", "rank_low"]) == ("", 1)


def crowd(count: int, owners: int = 1, value: float = 0.45) -> list[dict[str, Any]]:
    """Near-copies of one explainer under other names."""
    return [
        one
        for i in range(count)
        for one in on_all_tasks(f"copy{i}", value + 1e-4 * i, half=0.2, distribution=f"cheat{i % owners}.py")
    ]


def widths(table: pd.DataFrame, names: Iterable[str]) -> list[int]:
    """How many ranks more than one each of these explainers may have."""
    return (table["rank_high"] - table["rank_low"]).loc[list(names)].tolist()


def test_copies_of_a_stranger_widen_a_rank_by_no_more_than_one_explainer_that_is_not_separated() -> None:
    values = {"a": 0.2, "b": 0.42, "c": 0.65, "d": 0.88}
    own = [one for name, value in values.items() for one in on_all_tasks(name, value, half=0.2)]
    rows = {count: planted([*own, *crowd(count)]) for count in (0, 25)}
    alone, many = (standings(*some).set_index("explainer") for some in rows.values())
    assert widths(alone, values) == [0, 0, 0, 0]
    assert max(widths(many, values)) == 1
    verdicts = [pairs(*some).set_index(["a", "b"])["verdict"] for some in rows.values()]
    assert verdicts[1].loc[verdicts[0].index].equals(verdicts[0])
    assert min(widths(many, [f"copy{i}" for i in range(25)])) >= 24  # a matter of their owner
    strangers = standings(*planted([*own, *crowd(25, owners=25)])).set_index("explainer")
    assert max(widths(strangers, values)) > 20  # what is left open


def test_copies_that_are_better_push_the_others_down_by_one_rank() -> None:
    own = [one for name, value in (("a", 0.5), ("b", 0.9)) for one in on_all_tasks(name, value)]
    found = standings(*planted([*own, *crowd(25, value=0.1)])).set_index("explainer")
    assert found.loc[["a", "b"], ["rank_low", "rank_high"]].to_numpy().tolist() == [[2, 2], [3, 3]]


def test_copies_that_run_on_one_task_take_the_others_no_task_away() -> None:
    own = [*on_all_tasks("a", 0.5), *on_all_tasks("b", 0.9)]
    copies = [row(f"copy{i}", "bird", 0.1, seed=s, **CHEAT) for i in range(25) for s in range(3)]
    found = standings(*planted([*own, *copies])).set_index("explainer")
    assert found.loc["a", "coverage"] == "3/3"
    assert found.loc["copy0", "coverage"] == "1/3"
