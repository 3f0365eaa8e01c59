from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.errors import InputError
from partbench.leaderboard.build import board, pages, stale_pages, write_pages
from partbench.leaderboard.markdown import escape, grid
from partbench.leaderboard.paired import MIN_CELLS, comparisons, directions
from partbench.leaderboard.published import pairs, published, same_data
from partbench.leaderboard.standings import current, mean_interval
from partbench.results.schema import COLUMNS, Cell
from partbench.results.store import read_results, write_cell

TASKS = ("bird", "cat", "dog")


def row(explainer: str, category: str, value: float | None, half: float = 0.01, **changes: Any) -> dict[str, Any]:
    """An aggregate row; `half` is half the width of its interval."""
    usual = {
        "created_at": pd.Timestamp("2024-05-01", tz="UTC"),
        "explainer": explainer,
        "variant": "",
        "task_version": "1",
        "dataset": "fauna",
        "category": category,
        "performer": "small_vgg",
        "seed": 0,
        "metric": "locality",
        "metric_version": "1",
        "unit": "all",
        "value": np.nan if value is None else value,
        "low": np.nan if value is None else value - half,
        "high": np.nan if value is None else value + half,
        "higher_is_better": False,
        "status": "ok",
        "reason": "",
        "images": 50,
    }
    made = usual | changes
    made = {"task": f"{made['dataset']}/{category}"} | made
    identity = [made[name] for name in ("explainer", "variant", "task", "task_version", "seed")]
    return {"cell": "-".join(map(str, identity))} | made


def frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).reindex(columns=list(COLUMNS))


def on_all_tasks(explainer: str, value: float, seeds: int = 3, **changes: Any) -> list[dict[str, Any]]:
    return [row(explainer, category, value, seed=seed, **changes) for category in TASKS for seed in range(seeds)]


def standing(table: pd.DataFrame, explainer: str, metric: str = "locality") -> pd.Series:
    return table[(table["explainer"] == explainer) & (table["metric"] == metric)].iloc[0]


# Which cells count


def test_the_value_is_the_mean_over_seeds_then_over_tasks() -> None:
    rows = [row("srae", "cat", 1.0, seed=0), row("srae", "cat", 3.0, seed=1), row("srae", "dog", 5.0, seed=0)]
    found = standing(board(frame(rows)), "srae")
    assert found["value"] == pytest.approx((2.0 + 5.0) / 2)
    assert (found["tasks"], found["seeds"], found["images"], found["coverage"]) == (2, "0 1", 100, "2/2")


def test_there_is_no_mean_over_unequal_sets_of_tasks() -> None:
    table = board(frame([*on_all_tasks("srae", 1.0), row("nn", "cat", 0.1), row("nn", "dog", 0.1)]))
    incomplete = standing(table, "nn")
    assert np.isnan(incomplete["value"])
    assert np.isnan(incomplete["rank"])
    assert incomplete["coverage"] == "2/3"
    assert standing(table, "srae")["rank"] == 1


@pytest.mark.parametrize("missing", [{"value": None}, {"value": 0.1, "status": "failed", "reason": "out of memory"}])
def test_a_task_is_not_covered_if_one_of_its_seeds_has_no_value(missing: dict[str, Any]) -> None:
    rows = [*on_all_tasks("srae", 1.0), *on_all_tasks("nn", 0.5, seeds=2)]
    rows.append(row("nn", "cat", missing.pop("value"), seed=2, **missing))
    assert standing(board(frame(rows)), "nn")["coverage"] == "2/3"


def test_tasks_that_nobody_covers_are_not_asked_for() -> None:
    rows = [*on_all_tasks("srae", 1.0), row("srae", "cow", None, status="skipped", reason="no landmarks")]
    assert standing(board(frame(rows)), "srae")["coverage"] == "3/3"


def test_of_two_cells_of_an_explainer_the_newest_counts() -> None:
    old = row("srae", "cat", 9.0, cell="z", created_at=pd.Timestamp("2023-01-01", tz="UTC"))
    assert standing(board(frame([row("srae", "cat", 1.0, cell="a"), old])), "srae")["value"] == 1.0


@pytest.mark.parametrize("version", ["metric_version", "task_version"])
def test_versions_of_a_metric_or_a_task_are_never_mixed(version: str) -> None:
    rows = [row("srae", "cat", 1.0) | {version: "10"}, row("nn", "cat", 9.0) | {version: "9"}]
    table = board(frame(rows))
    assert table["explainer"].tolist() == ["srae"]


def test_unit_rows_do_not_count() -> None:
    rows = [row("srae", "cat", 1.0), row("srae", "cat", 9.0, unit="image-1")]
    assert standing(board(frame(rows)), "srae")["value"] == 1.0


def test_other_networks_and_all_categories_at_once_have_boards_of_their_own() -> None:
    rows = [
        row("srae", "cat", 1.0),
        row("srae", "multi", 2.0),
        row("srae", "cat", 3.0, task="fauna/cat@lite0_head", performer="lite0_head"),
    ]
    table = board(frame(rows)).set_index("board")
    assert table["value"].to_dict() == {"fauna/multi": 2.0, "fauna/single": 1.0, "fauna/single@lite0_head": 3.0}


def test_variants_of_an_explainer_stand_apart() -> None:
    table = board(frame([row("srae", "cat", 1.0), row("srae", "cat", 2.0, variant="profile=released")]))
    assert table["variant"].tolist() == ["", "profile=released"]
    assert table["value"].tolist() == [1.0, 2.0]


# Intervals


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
    table = board(frame(rows))
    assert standing(table, "srae")["value"] == 1.0
    assert np.isnan(standing(table, "srae")["low"])
    assert np.isnan(standing(table, "srae")["rank"])


def test_what_an_explainer_reports_of_itself_has_the_interval_of_its_seeds() -> None:
    about = {"low": None, "high": None, "higher_is_better": None, "images": 0}
    values = [0.2, 0.4, 0.9]
    rows = [row("a", "cat", v, seed=i, metric="share", **about) for i, v in enumerate(values)]
    rows += [row("b", "cat", 0.5, metric="share", **about)]
    table = board(frame(rows))
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
    table = board(frame(rows).sample(frac=1, random_state=0))
    assert len(table) == 9
    assert 0 < table["value"].notna().sum() < 9
    for metric, found in table.groupby("metric"):
        wanted = int(found["tasks"].max())
        for standing in found.to_dict("records"):
            mine = [r for r in rows if (r["explainer"], r["metric"]) == (standing["explainer"], metric)]
            expected = literal_standing(mine, wanted)
            numbers = ["value", "low", "high"]
            assert [standing[n] for n in numbers] == pytest.approx([expected.pop(n) for n in numbers], nan_ok=True)
            assert {name: standing[name] for name in expected} == expected


def test_rows_that_count_are_returned_as_they_are() -> None:
    rows = current(frame([*many(), row("srae", "cat", 9.0, created_at=pd.Timestamp("2023-01-01", tz="UTC"))]))
    assert current(rows) is rows
    some = rows[rows["explainer"] == "srae"]
    pd.testing.assert_frame_equal(current(some[list(COLUMNS)]), some.reset_index(drop=True))


# Ranks


def test_explainers_whose_intervals_overlap_the_best_share_the_first_rank() -> None:
    rows = [row(name, "cat", value, 0.1) for name, value in (("a", 1.0), ("b", 1.15), ("c", 1.3), ("d", 2.0))]
    table = board(frame(rows)).set_index("explainer")
    assert table["rank"].to_dict() == {"a": 1, "b": 1, "c": 2, "d": 4}
    assert table["best"].to_dict() == {"a": True, "b": True, "c": False, "d": False}


@given(st.permutations([0.1, 0.4, 0.7, 0.95]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_ranks_follow_planted_values_in_either_direction(values: list[float], higher: bool) -> None:
    rows = [row(f"e{i}", "cat", v, 0.01, higher_is_better=higher) for i, v in enumerate(values)]
    order = np.argsort(np.argsort([-v if higher else v for v in values])) + 1
    assert board(frame(rows))["rank"].tolist() == order.tolist()


def test_controls_have_no_rank_and_mark_what_does_not_beat_them() -> None:
    planted = {"good": 0.2, "overlaps": 0.72, "worse": 1.5, "centre_map": 0.8, "random_maps": 2.0}
    table = board(frame(row(name, "cat", value, 0.1) for name, value in planted.items())).set_index("explainer")
    assert table["beaten_by_control"].to_dict() == {
        "centre_map": False,
        "good": False,
        "overlaps": True,
        "random_maps": False,
        "worse": True,
    }
    assert table["rank"].dropna().to_dict() == {"good": 1, "overlaps": 2, "worse": 3}


def test_variants_of_metrics_are_not_ranked() -> None:
    found = board(frame([row("srae", "cat", 1.0, metric="locality@empty_maps")])).iloc[0]
    assert np.isnan(found["rank"])
    assert not found["best"]


# Comparisons


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


def test_too_few_pairs_are_never_separated() -> None:
    found = comparisons(planted(lambda t, s: -0.5, tasks=1, seeds=MIN_CELLS - 1), "srae", ["nn"]).iloc[0]
    assert (found["wins"], found["verdict"]) == (MIN_CELLS - 1, "not separated")
    found = comparisons(planted(lambda t, s: -0.5, tasks=1, seeds=MIN_CELLS), "srae", ["nn"]).iloc[0]
    assert found["verdict"] == "better"


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


# Published values


def test_published_pairs_have_the_papers_own_explainer_first_and_no_training_data() -> None:
    table = pairs()
    srae = table[table["paper"] == "srae"]
    assert set(srae["explainer"]) == {"srae"}
    assert set(srae["other"]) == {"nn", "sae", "cae", "lasso", "excitation_bp", "z"}
    assert not table["setting"].str.contains("train").any()
    cub = srae[(srae["dataset"] == "cub") & (srae["metric"] == "orthogonality_frobenius")].set_index("other")
    assert cub.loc["nn", ["value", "other_value"]].tolist() == [0.6554, 0.9765]


def test_published_thresholds_and_options_have_our_names() -> None:
    table = published()
    assert {"masked_accuracy", "masked_accuracy@gamma=0.01", "masked_accuracy@gamma=0.3"} <= set(table["metric"])
    assert "alpha=2.5" in set(table.loc[table["explainer"] == "lasso", "variant"])


def one(explainer: str, **changes: Any) -> pd.Series:
    rows = [row(explainer, category, 0.1, metric="location_instability", **changes) for category in ("cat", "dog")]
    return board(frame(rows)).iloc[0]


def test_published_values_stand_beside_ours_only_for_the_same_data() -> None:
    assert same_data(one("interp_cnn")) == ""
    assert same_data(one("srae", dataset="animal_part")) == ""
    table = published()
    table = table[(table["dataset"] == "animal_part") & (table["metric"] == "location_instability")]
    table = table[(table["explainer"] == "interp_cnn") & table["category"].isin(["cat", "dog"])]
    text = same_data(one("interp_cnn", dataset="animal_part"))
    assert text.startswith(f"{table['value'].mean():.3f} (")
    assert "alexnet, vgg_16, vgg_m, vgg_s" in text
    ours = same_data(one("interp_cnn", dataset="animal_part", performer="vgg_16"))
    assert ours == f"{table.loc[table['performer'] == 'vgg_16', 'value'].mean():.3f} (vgg_16)"


# Pages


HOSTILE = "<script>alert(1)</script> | a\nb *x* [l](u) `c`"


def many() -> list[dict[str, Any]]:
    rows = [*on_all_tasks("srae", 0.2), *on_all_tasks("nn", 0.5), *on_all_tasks("centre_map", 0.4)]
    rows += on_all_tasks("srae", 0.9, metric="masked_accuracy@gamma=0.01", higher_is_better=True)
    return [*rows, *(row("nn", c, None, metric="accuracy", status="skipped", reason=HOSTILE) for c in TASKS)]


def test_a_page_shows_directions_ranks_marks_and_reasons() -> None:
    page = re.sub(" +", " ", pages(frame(many()))["fauna.md"])  # columns are padded
    assert "| explainer | locality ↓ |" in page
    assert "| 1 | **srae** | **0.200** |" in page
    assert "| 2 | nn | 0.500 † |" in page
    assert page.index("| 2 | nn |") < page.index("| control | centre_map |")
    assert "| explainer | masked_accuracy@gamma=0.01 |" in page
    assert "| nn | skipped | accuracy | &lt;script&gt;" in page
    assert "| srae | nn | locality | -0.300 |" in page
    assert "one_vs_all_positive" in page


def test_hostile_names_and_reasons_cannot_break_a_table() -> None:
    line = grid(["a"], [[escape(HOSTILE)]]).splitlines()[-1]
    assert "<" not in line
    assert line.replace(r"\|", "").count("|") == 2
    assert r"\*x\* \[l\](u) \`c\`" in line
    assert escape("random_maps __init__") == r"random_maps \_\_init\_\_"


@given(st.text(max_size=30))
@settings(max_examples=50, deadline=None)
def test_any_escaped_text_is_one_cell_of_one_line(text: str) -> None:
    escaped = escape(text)
    assert len(escaped.splitlines()) <= 1
    assert "<" not in escaped
    unescaped = escaped.replace("\\\\", "")  # a backslash that is itself escaped protects nothing
    assert unescaped.count("|") == unescaped.count("\\|")


def test_pages_depend_on_the_rows_and_not_on_their_order() -> None:
    table = frame(many())
    assert pages(table) == pages(table.sample(frac=1, random_state=0))


def test_pages_are_stale_when_results_or_pages_change(tmp_path: Path) -> None:
    table = frame(many())
    assert stale_pages(tmp_path, table) == ["fauna.csv", "fauna.md"]
    assert [path.name for path in write_pages(tmp_path, table)] == ["fauna.md", "fauna.csv"]
    assert stale_pages(tmp_path, table) == []
    changed = frame([*many(), *on_all_tasks("sae", 0.3)])
    assert stale_pages(tmp_path, changed) == ["fauna.csv", "fauna.md"]
    (tmp_path / "fauna.csv").write_text("edited by hand")
    (tmp_path / "README.md").write_text("not generated")
    (tmp_path / "gone.md").write_bytes((tmp_path / "fauna.md").read_bytes())
    assert stale_pages(tmp_path, table) == ["fauna.csv", "gone.md"]


def test_pages_made_from_files_are_those_made_from_their_rows(tmp_path: Path) -> None:
    rows = pd.DataFrame(many()).drop(columns="cell").assign(run_id="r", partbench_version="0.1.0")
    for (explainer, task, seed), group in rows.groupby(["explainer", "task", "seed"]):
        category = str(task).partition("/")[2]
        made = Cell(
            str(explainer), "partbench", "1", {}, str(task), "1", "fauna", category, "small_vgg", "f", int(seed)
        )
        write_cell(tmp_path, group, made)
    assert pages(read_results(tmp_path, aggregates_only=True)) == pages(frame(many()))


def test_no_results_make_no_pages() -> None:
    assert pages(frame([])) == {}
    assert board(frame([])).empty


def test_a_folder_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_pages(tmp_path / "file", frame(many()))


def test_leaderboards_need_no_torch() -> None:
    code = "import sys, partbench.leaderboard.build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_control_without_an_interval_is_still_one_to_beat():
    from partbench.leaderboard.standings import _ranked

    columns = ["explainer", "variant", "metric", "value", "low", "high", "higher_is_better"]
    rows = [("centre_map", "", "m", 0.07, np.nan, np.nan, False), ("a", "", "m", 0.1, 0.09, 0.11, False)]
    rows.append(("b", "", "m", 0.05, 0.04, 0.06, False))
    ranked = _ranked(pd.DataFrame(rows, columns=columns)).set_index("explainer")
    assert ranked["beaten_by_control"].to_dict() == {"centre_map": False, "a": True, "b": False}
