from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_results import TASKS, frame, on_all_tasks, row, standing

from partbench.leaderboard.intervals import mean_interval
from partbench.leaderboard.standings import _ranked, board_of, current, standings
from partbench.results.schema import COLUMNS


def test_the_value_is_the_mean_over_seeds_then_over_tasks() -> None:
    rows = [row("srae", "cat", 1.0, seed=0), row("srae", "cat", 3.0, seed=1), row("srae", "dog", 5.0, seed=0)]
    found = standing(standings(frame(rows)), "srae")
    assert found["value"] == pytest.approx((2.0 + 5.0) / 2)
    assert (found["tasks"], found["seeds"], found["images"], found["coverage"]) == (2, "0 1", 100, "2/2")


def test_there_is_no_mean_over_unequal_sets_of_tasks() -> None:
    table = standings(frame([*on_all_tasks("srae", 1.0), row("nn", "cat", 0.1), row("nn", "dog", 0.1)]))
    incomplete = standing(table, "nn")
    assert np.isnan(incomplete["value"])
    assert np.isnan(incomplete["rank"])
    assert incomplete["coverage"] == "2/3"
    assert standing(table, "srae")["rank"] == 1


@pytest.mark.parametrize("missing", [{"value": None}, {"value": 0.1, "status": "failed", "reason": "out of memory"}])
def test_a_task_is_not_covered_if_one_of_its_seeds_has_no_value(missing: dict[str, Any]) -> None:
    rows = [*on_all_tasks("srae", 1.0), *on_all_tasks("nn", 0.5, seeds=2)]
    rows.append(row("nn", "cat", missing.pop("value"), seed=2, **missing))
    assert standing(standings(frame(rows)), "nn")["coverage"] == "2/3"


def test_tasks_that_nobody_covers_are_not_asked_for() -> None:
    rows = [*on_all_tasks("srae", 1.0), row("srae", "cow", None, status="skipped", reason="no landmarks")]
    assert standing(standings(frame(rows)), "srae")["coverage"] == "3/3"


def test_of_two_cells_of_an_explainer_the_newest_counts() -> None:
    old = row("srae", "cat", 9.0, cell="z", created_at=pd.Timestamp("2023-01-01", tz="UTC"))
    assert standing(standings(frame([row("srae", "cat", 1.0, cell="a"), old])), "srae")["value"] == 1.0


@pytest.mark.parametrize("version", ["metric_version", "task_version"])
def test_versions_of_a_metric_or_a_task_are_never_mixed(version: str) -> None:
    rows = [row("srae", "cat", 1.0) | {version: "10"}, row("nn", "cat", 9.0) | {version: "9"}]
    table = standings(frame(rows))
    assert table["explainer"].tolist() == ["srae"]


def test_unit_rows_do_not_count() -> None:
    rows = [row("srae", "cat", 1.0), row("srae", "cat", 9.0, unit="image-1")]
    assert standing(standings(frame(rows)), "srae")["value"] == 1.0


@pytest.mark.parametrize(
    ("task", "board"),
    [
        ("fauna/multi:bird", "fauna/multi:*"),
        ("fauna/multi:bird@lite0_head", "fauna/multi:*@lite0_head"),
        ("fauna/multi:bird@timm:a/b.c", "fauna/multi:*@timm:a/b.c"),
        ("fauna/multi", "fauna/multi"),
        ("fauna/multi@timm:x", "fauna/multi@timm:x"),
        ("fauna/attribute-wild@other", "fauna/attribute-*@other"),
        ("fauna/bird", "fauna/*"),
        ("fauna/bird:others@vgg_m", "fauna/*:others@vgg_m"),
        ("fauna/multicoloured", "fauna/*"),
    ],
)
def test_the_board_of_a_task_follows_from_its_name(task: str, board: str) -> None:
    assert board_of(task) == board


def test_boards_are_ranked_apart() -> None:
    names = ("multi:cat", "multi", "cat", "multi:cat@lite0_head", "attribute-wild")
    rows = [row("srae", "cat", float(i), task=f"fauna/{name}") for i, name in enumerate(names)]
    table = standings(frame(rows)).set_index("board")
    boards = ("multi:*", "multi", "*", "multi:*@lite0_head", "attribute-*")
    assert table["value"].to_dict() == {f"fauna/{board}": float(i) for i, board in enumerate(boards)}
    assert (table["rank"] == 1).all()


def test_variants_of_an_explainer_stand_apart() -> None:
    table = standings(frame([row("srae", "cat", 1.0), row("srae", "cat", 2.0, variant="profile=released")]))
    assert table["variant"].tolist() == ["", "profile=released"]
    assert table["value"].tolist() == [1.0, 2.0]


def cells(values: list[float], half: float, tasks: int = 1) -> pd.DataFrame:
    return frame(row("srae", f"task{t}", v, half, seed=s) for t in range(tasks) for s, v in enumerate(values))


def of_tasks(table: pd.DataFrame) -> list[np.ndarray]:
    return [group[["value", "low", "high"]].to_numpy(float) for _, group in table.groupby("task")]


def width(table: pd.DataFrame) -> float:
    low, high = mean_interval(of_tasks(table))
    return high - low


def test_with_one_seed_and_task_the_interval_is_that_of_the_cell() -> None:
    low, high = mean_interval(of_tasks(cells([1.0], half=0.1)))
    assert (low, high) == pytest.approx((0.9, 1.1), abs=0.01)


def test_without_image_noise_the_interval_is_that_of_seeds() -> None:
    values = list(np.random.default_rng(0).normal(size=40))
    expected = 2 * 1.96 * np.std(values, ddof=1) / np.sqrt(40)
    assert width(cells(values, half=0.0)) == pytest.approx(expected, rel=0.1)


def test_two_seeds_spread_as_their_sample_deviation_says() -> None:
    """Resampled means of 0 and 2 are 0, 1, 1, 2, too close together by sqrt(1 / 2) (ddof 0 instead of 1)."""
    assert mean_interval(of_tasks(cells([0.0, 2.0], half=0.0))) == pytest.approx((1 - 2**0.5, 1 + 2**0.5))


def test_the_interval_of_equal_tasks_shrinks_with_the_root_of_their_number() -> None:
    assert width(cells([1.0], 0.1, tasks=16)) == pytest.approx(width(cells([1.0], 0.1)) / 4, rel=0.1)


def test_more_seeds_do_not_average_away_the_noise_of_shared_images() -> None:
    assert width(cells([1.0] * 50, half=0.1)) == pytest.approx(0.2, rel=0.1)


def test_a_cell_without_an_interval_leaves_the_mean_without_one() -> None:
    rows = [row("srae", "cat", 1.0, np.nan), row("nn", "cat", 2.0)]
    table = standings(frame(rows))
    assert standing(table, "srae")["value"] == 1.0
    assert np.isnan(standing(table, "srae")["low"])
    assert np.isnan(standing(table, "srae")["rank"])


def test_what_an_explainer_reports_of_itself_has_the_interval_of_its_seeds() -> None:
    about = {"low": None, "high": None, "higher_is_better": None, "images": 0}
    values = [0.2, 0.4, 0.9]
    rows = [row("a", "cat", v, seed=i, metric="share", **about) for i, v in enumerate(values)]
    rows += [row("b", "cat", 0.5, metric="share", **about)]
    table = standings(frame(rows))
    assert standing(table, "a", "share")[["low", "high"]].tolist() == list(
        mean_interval([np.repeat(np.array(values)[:, None], 3, 1)])
    )
    assert standing(table, "b", "share")[["low", "high"]].isna().all()  # one seed says nothing of others
    assert table["rank"].isna().all()


def test_the_interval_covers_the_planted_mean_in_most_repetitions() -> None:
    """4 tasks of 60 images, 5 seeds that share them; between-image sd 1, between-seed sd 0.1, truth 0."""
    random = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        rows = []
        for task in range(4):
            images = random.normal(size=60)
            half = 1.96 * images.std(ddof=1) / np.sqrt(60)
            seeds = images.mean() + 0.1 * random.normal(size=5)
            rows += [row("srae", f"t{task}", float(value), half, seed=s) for s, value in enumerate(seeds)]
        low, high = mean_interval(of_tasks(frame(rows)), draws=500)
        covered.append(low <= 0 <= high)
    assert np.mean(covered) >= 0.85


def literal_standing(rows: list[dict[str, Any]], wanted: int) -> dict[str, Any]:
    """Of the rows of one explainer and metric on one board: the mean and its interval, step by step."""
    by_task = {
        task: sorted((r for r in rows if r["task"] == task), key=lambda r: r["seed"])
        for task in sorted({r["task"] for r in rows})
    }
    covered = {
        t: found for t, found in by_task.items() if all(r["status"] == "ok" and not np.isnan(r["value"]) for r in found)
    }
    used = [r for found in covered.values() for r in found]
    random, drawn = np.random.default_rng(0), []
    for found in covered.values():
        values, n = np.array([r["value"] for r in found]), len(found)
        counts = random.multinomial(n, [1 / n] * n, size=2000)
        spread = np.sqrt(n / (n - 1)) if n > 1 else 1.0
        sd = np.mean([r["high"] - r["low"] for r in found]) / (2 * 1.96)
        resampled = (counts * (values - values.mean())).sum(1) / n
        drawn.append(values.mean() + spread * resampled + sd * random.standard_normal(2000))
    complete = len(covered) == wanted > 0
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975]) if complete else (np.nan, np.nan)
    means = [np.mean([r["value"] for r in found]) for found in covered.values()]
    return {
        "value": np.mean(means) if complete else np.nan,
        "low": low,
        "high": high,
        "tasks": len(covered),
        "coverage": f"{len(covered)}/{wanted}",
        "seeds": " ".join(str(seed) for seed in sorted({r["seed"] for r in used})),
        "images": sum(max(r["images"] for r in found) for found in covered.values()),
        "categories": tuple(sorted({r["category"] for r in used})),
    }


def test_standings_are_those_of_a_literal_derivation_from_the_rows() -> None:
    random = np.random.default_rng(3)
    rows = []
    for explainer, metric in itertools.product(("a", "b", "c", "d"), ("locality", "accuracy")):
        for category, seed in itertools.product(TASKS, range(3)):
            if random.random() < 0.8:
                value = None if random.random() < 0.05 else float(random.normal())
                changes = {"metric": metric, "seed": seed, "images": int(random.integers(40, 60))}
                rows.append(row(explainer, category, value, float(random.uniform(0, 0.2)), **changes))
    rows.append(row("none", "cat", None, status="failed", reason="no maps"))
    table = standings(frame(rows).sample(frac=1, random_state=0))
    assert len(table) == 9
    assert 0 < table["value"].notna().sum() < 9
    for metric, found in table.groupby("metric"):
        wanted = int(found["tasks"].max())
        for standing_ in found.to_dict("records"):
            mine = [r for r in rows if (r["explainer"], r["metric"]) == (standing_["explainer"], metric)]
            expected = literal_standing(mine, wanted)
            numbers = ["value", "low", "high"]
            assert [standing_[n] for n in numbers] == pytest.approx([expected.pop(n) for n in numbers], nan_ok=True)
            assert {name: standing_[name] for name in expected} == expected


def test_rows_that_count_are_returned_unchanged() -> None:
    older = row("srae", "cat", 9.0, created_at=pd.Timestamp("2023-01-01", tz="UTC"))
    rows = current(frame([*on_all_tasks("srae", 0.2), *on_all_tasks("nn", 0.5), older]))
    assert current(rows) is rows
    some = rows[rows["explainer"] == "srae"]
    pd.testing.assert_frame_equal(current(some[list(COLUMNS)]), some.reset_index(drop=True))


def test_explainers_whose_intervals_overlap_the_best_share_the_first_rank() -> None:
    rows = [row(name, "cat", value, 0.1) for name, value in (("a", 1.0), ("b", 1.15), ("c", 1.3), ("d", 2.0))]
    table = standings(frame(rows)).set_index("explainer")
    assert table["rank"].to_dict() == {"a": 1, "b": 1, "c": 2, "d": 4}
    assert table["best"].to_dict() == {"a": True, "b": True, "c": False, "d": False}


@given(st.permutations([0.1, 0.4, 0.7, 0.95]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_ranks_follow_planted_values_in_either_direction(values: list[float], higher: bool) -> None:
    rows = [row(f"e{i}", "cat", v, 0.01, higher_is_better=higher) for i, v in enumerate(values)]
    order = np.argsort(np.argsort([-v if higher else v for v in values])) + 1
    assert standings(frame(rows))["rank"].tolist() == order.tolist()


def test_intervals_that_touch_are_not_apart() -> None:
    """a ends at 1.5 where b begins, b at 2.0 where c begins, exactly."""
    rows = [row(name, "cat", value, 0.25) for name, value in (("a", 1.25), ("b", 1.75), ("c", 2.25))]
    exact = pd.DataFrame(rows)[["explainer", "variant", "metric", "value", "low", "high", "higher_is_better"]]
    ranked = _ranked(exact.assign(control="")).set_index("explainer")
    assert ranked["rank"].to_dict() == {"a": 1, "b": 1, "c": 2}
    marked = _ranked(exact.assign(control=["", "", "floor"])).set_index("explainer")
    assert marked["beaten_by_control"].to_dict() == {"a": False, "b": True, "c": False}


CONTROLS = {"none": ("floor", 0.8), "still": ("floor", 2.0), "part": ("ablation", 0.1), "bad_part": ("ablation", 1.9)}


def with_controls() -> list[dict[str, Any]]:
    planted = {"good": 0.2, "overlaps": 0.72, "worse": 1.5}
    rows = [row(name, "cat", value, 0.1) for name, value in planted.items()]
    rows += [row(name, "cat", value, 0.1, control=kind) for name, (kind, value) in CONTROLS.items()]
    return [*rows, row("simple", "cat", 0.5, 0.1, control="baseline")]


def test_floors_and_ablations_have_no_rank_and_a_baseline_has() -> None:
    table = standings(frame(with_controls())).set_index("explainer")
    assert table["rank"].dropna().to_dict() == {"good": 1, "simple": 2, "overlaps": 3, "worse": 4}
    assert table.index[table["best"]].tolist() == ["good"]  # not the ablation, though its value is better
    assert table["control"].to_dict()["simple"] == "baseline"


def test_what_is_not_separated_from_every_floor_is_marked_whatever_the_ablations() -> None:
    table = standings(frame(with_controls())).set_index("explainer")
    assert table.index[table["beaten_by_control"]].tolist() == ["bad_part", "overlaps", "worse"]


def test_a_floor_with_a_wide_interval_is_one_to_beat_too() -> None:
    rows = [row("a", "cat", 0.5, 0.01), row("best", "cat", 1.0, 0.1, control="floor")]
    rows.append(row("wide", "cat", 1.2, 0.9, control="floor"))
    table = standings(frame(rows)).set_index("explainer")
    assert table["beaten_by_control"].to_dict() == {"a": True, "best": False, "wide": False}


def test_without_a_floor_nothing_is_marked() -> None:
    rows = [r for r in with_controls() if r.get("control") != "floor"]
    assert not standings(frame(rows))["beaten_by_control"].any()


def test_a_floor_without_an_interval_is_one_to_beat() -> None:
    floor = row("still", "cat", 0.07, np.nan, control="floor")
    table = standings(frame([floor, row("a", "cat", 0.1, 0.01), row("b", "cat", 0.05, 0.01)])).set_index("explainer")
    assert table["beaten_by_control"].to_dict() == {"a": True, "b": False, "still": False}


def test_variants_of_metrics_are_not_ranked() -> None:
    table = standings(frame([row("srae", "cat", 1.0, metric="locality@empty_maps")]))
    assert table["rank"].isna().all()
    for mark in ("best", "beaten_by_control"):
        assert (table[mark].dtype, table[mark].tolist()) == (bool, [False])
