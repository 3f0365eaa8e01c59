from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.leaderboard.build import board, pages
from partbench.leaderboard.decomposition import against_ordinary, gains
from partbench.leaderboard.paired import ORDINARY, directions
from partbench.leaderboard.published import published_ratio
from partbench.leaderboard.standings import current, is_control
from partbench.results.schema import COLUMNS

INSTABILITY, NULL = "location_instability", "location_instability@shuffled"
HIGHER = {"part_following", "part_interpretability", "accuracy"}
Values = Callable[[int, int], dict[str, float]]


def cell(shown: str, task: int | str, seed: int, values: dict[str, float], **changes: Any) -> list[dict[str, Any]]:
    """A row per metric of the explainer with this label."""
    explainer, _, variant = shown.rstrip(")").partition(" (")
    category = task if isinstance(task, str) else f"t{task}"
    usual: dict[str, Any] = {
        "created_at": pd.Timestamp("2024-05-01", tz="UTC"),
        "explainer": explainer,
        "variant": variant,
        "dataset": "fauna",
        "category": category,
        "performer": "small_vgg",
        "seed": seed,
        "unit": "all",
        "status": "ok",
        "reason": "",
        "images": 50,
        "task_version": "1",
        "metric_version": "1",
        **changes,
    }
    usual = {"task": f"{usual['dataset']}/{category}", "cell": f"{shown}-{usual['dataset']}-{category}-{seed}"} | usual
    return [
        {
            "metric": name,
            "value": value,
            "low": value - 0.001,
            "high": value + 0.001,
            "higher_is_better": name in HIGHER,
        }
        | usual
        for name, value in values.items()
    ]


def frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).reindex(columns=list(COLUMNS))


def cells(shown: str, values: Values, tasks: int = 4, seeds: int = 3, **changes: Any) -> list[dict[str, Any]]:
    return [row for t in range(tasks) for s in range(seeds) for row in cell(shown, t, s, values(t, s), **changes)]


def located(instability: float, null: float, accuracy: float = 0.9) -> dict[str, float]:
    return {INSTABILITY: instability, NULL: null, "part_following": null - instability, "accuracy": accuracy}


def only(table: pd.DataFrame, metric: str = INSTABILITY) -> pd.Series:
    [found] = [row for _, row in gains(table).iterrows() if row["metric"] == metric]
    return found


def flat(page: str) -> str:
    return re.sub(" +", " ", page)  # columns are padded


# Ratios


def test_the_ratio_of_an_explainer_that_is_a_multiple_has_no_width_whatever_the_noise() -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.2, (4, 3))
    rows = cells(ORDINARY, lambda t, s: located(values[t, s], 0.2))
    rows += cells("interp_cnn", lambda t, s: located(0.6 * values[t, s], 0.2))
    found = only(frame(rows))
    assert found[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx([0.6] * 3)
    assert (found["explainer"], found["other"], found["pairs"]) == ("interp_cnn", ORDINARY, 12)


def test_the_ratio_is_that_of_the_means_of_paired_cells_with_the_interval_of_a_literal_bootstrap() -> None:
    random = np.random.default_rng(1)
    mine, theirs = random.uniform(0.05, 0.12, (5, 4)), random.uniform(0.1, 0.2, (5, 4))
    rows = cells(ORDINARY, lambda t, s: {INSTABILITY: theirs[t, s]}, 5, 4)
    rows += cells("interp_cnn", lambda t, s: {INSTABILITY: mine[t, s]}, 5, 4)
    rows += cell("interp_cnn", "unpaired", 0, {INSTABILITY: 9.0})
    found = only(frame(rows))
    drawn = []
    for _ in range(4000):  # seeds of every task first, then tasks with the seeds that they got
        seeds = [random.integers(4, size=4) for _ in range(5)]
        tasks = random.integers(5, size=5)
        drawn.append(np.mean([mine[t, seeds[t]] for t in tasks]) / np.mean([theirs[t, seeds[t]] for t in tasks]))
    assert found["ratio"] == pytest.approx(mine.mean() / theirs.mean())
    width = np.quantile(drawn, 0.975) - np.quantile(drawn, 0.025)
    assert found["ratio_low"] == pytest.approx(np.quantile(drawn, 0.025), abs=0.06 * width)
    assert found["ratio_high"] == pytest.approx(np.quantile(drawn, 0.975), abs=0.06 * width)


def test_tasks_weigh_the_same_whatever_their_number_of_seeds() -> None:
    rows = [row for s in range(3) for row in cell("interp_cnn", "many", s, {"part_interpretability": 0.3})]
    rows += [row for s in range(3) for row in cell(ORDINARY, "many", s, {"part_interpretability": 0.1})]
    rows += cell("interp_cnn", "one", 0, {"part_interpretability": 0.7})
    rows += cell(ORDINARY, "one", 0, {"part_interpretability": 0.3})
    found = only(frame(rows), "part_interpretability")
    assert found["ratio"] == pytest.approx((0.3 + 0.7) / (0.1 + 0.3))
    assert np.isnan(found["gain"])


def test_an_ordinary_network_that_marks_no_part_leaves_no_interval() -> None:
    rows = cells("interp_cnn", lambda t, s: {"part_interpretability": 0.2})
    found = only(frame(rows + cells(ORDINARY, lambda t, s: {"part_interpretability": 0.0})), "part_interpretability")
    assert found["ratio"] == np.inf
    assert np.isnan(found["ratio_low"])


def test_one_pair_has_no_interval() -> None:
    found = only(frame(cell("interp_cnn", 0, 0, located(0.1, 0.1)) + cell(ORDINARY, 0, 0, located(0.2, 0.2))))
    assert found["ratio"] == 0.5
    assert found[["ratio_low", "following_low", "accuracy_high"]].isna().all()


# The split of the gain


numbers = st.lists(st.floats(0.01, 0.2), min_size=24, max_size=24)


@given(numbers, numbers, numbers, numbers)
@settings(max_examples=15, deadline=None)
def test_the_gain_is_standing_still_and_part_following(a: list, b: list, c: list, d: list) -> None:
    rows = cells("interp_cnn", lambda t, s: located(a[3 * t + s], b[3 * t + s]))
    found = only(frame(rows + cells(ORDINARY, lambda t, s: located(c[3 * t + s], d[3 * t + s]))))
    assert found["gain"] == pytest.approx(np.mean(c[:12]) - np.mean(a[:12]))
    assert found["still"] + found["following"] == pytest.approx(found["gain"])
    assert found["rest"] == pytest.approx(0, abs=1e-12)


def test_a_constant_position_gains_by_standing_still_alone() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.07, 0.07, accuracy=0.8))
    found = only(frame(rows + cells(ORDINARY, lambda t, s: located(0.15, 0.15))))
    assert found[["gain", "still", "following"]].tolist() == pytest.approx([0.08, 0.08, 0])
    assert found[["following_low", "following_high"]].tolist() == pytest.approx([0, 0])
    assert found[["accuracy", "accuracy_low", "accuracy_high"]].tolist() == pytest.approx([-0.1] * 3)


def test_a_tracker_with_the_same_spread_gains_by_following_alone() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.05, 0.15))
    found = only(frame(rows + cells(ORDINARY, lambda t, s: located(0.15, 0.15))))
    assert found[["gain", "still", "following"]].tolist() == pytest.approx([0.1, 0, 0.1])


def test_what_the_choice_of_category_adds_is_shown_where_there_is_any() -> None:
    ours = located(0.05, 0.12) | {"part_following": 0.06}
    rows = [row for s in range(3) for row in cell("interp_cnn", "multi", s, ours)]
    table = frame(rows + [row for s in range(3) for row in cell(ORDINARY, "multi", s, located(0.15, 0.15))])
    found = only(table)
    assert (found["board"], found["rest"]) == ("fauna/multi", pytest.approx(0.1 - 0.03 - 0.06))
    page = flat("\n".join(against_ordinary(current(table))))
    assert "| lower null | part-following | rest |" in page
    assert "Rest: " in page
    assert "| 0.100 | 0.030 | 0.060 (0.060 to 0.060) | 0.010 |" in page


def test_a_cell_without_a_null_leaves_no_split_and_one_without_accuracy_no_difference() -> None:
    rows = cells("interp_cnn", lambda t, s: {INSTABILITY: 0.1} if (t, s) == (1, 2) else located(0.1, 0.2))
    found = only(frame(rows + cells(ORDINARY, lambda t, s: located(0.2, 0.2))))
    assert found["gain"] == pytest.approx(0.1)
    assert found[["still", "following", "following_low", "accuracy", "accuracy_low"]].isna().all()


# Who is compared with whom


def test_autoencoders_are_held_against_both_networks_and_interpretable_cnns_against_the_ordinary_one() -> None:
    names = ["autoencoder", "autoencoder_cls", "interp_cnn (loss=false)", "interp_cnn (mask=false)", "srae", "top_conv"]
    rows = [row for name in [*names, ORDINARY] for row in cells(name, lambda t, s: located(0.1, 0.1))]
    found = gains(frame(rows))
    assert list(zip(found["explainer"], found["other"], strict=True)) == [
        ("autoencoder", ORDINARY),
        ("autoencoder", "top_conv"),
        ("autoencoder_cls", ORDINARY),
        ("autoencoder_cls", "top_conv"),
        ("interp_cnn (mask=false)", ORDINARY),
        ("interp_cnn (loss=false)", ORDINARY),
    ]
    printed = found.set_index(["explainer", "other"])["published"]
    assert printed[printed != ""].index.tolist() == [("autoencoder", "top_conv"), ("interp_cnn (mask=false)", ORDINARY)]


def test_without_the_ordinary_network_there_is_no_section() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.1, 0.1)) + cells("top_conv", lambda t, s: located(0.2, 0.2))
    assert gains(frame(rows)).empty
    assert "Interpretable against ordinary" not in pages(frame(rows))["fauna.md"]


def test_boards_are_compared_apart() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.1, 0.1)) + cells(ORDINARY, lambda t, s: located(0.2, 0.2))
    there = {"dataset": "animal_part"}
    rows += cells("interp_cnn", lambda t, s: located(0.1, 0.1), **there)
    rows += cells(ORDINARY, lambda t, s: located(0.4, 0.2), **there)
    assert gains(frame(rows)).set_index("board")["ratio"].to_dict() == pytest.approx(
        {"animal_part/single": 0.25, "fauna/single": 0.5}
    )


def literal_ratios(metric: str, dataset: str, setting: str) -> list[float]:
    """Interpretable over ordinary, network by network, from the file as it is."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    with (files("partbench.leaderboard") / "published.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            wanted = [row[name] for name in ("paper", "metric", "dataset", "setting", "category")]
            if wanted == ["interpretable-cnn", metric, dataset, setting, "mean"]:
                values[row["performer"]][row["explainer"]] = float(row["value"])
    return [of["interp_cnn"] / of["top_conv"] for of in values.values()]


def shown(ratios: list[float], where: str) -> str:
    return f"{np.mean(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) {where}"


def test_published_ratios_are_those_of_the_same_dataset_where_there_are_any() -> None:
    ratios = literal_ratios(INSTABILITY, "animal_part", "single")
    assert 0.59 <= min(ratios) <= max(ratios) < 0.625
    found = published_ratio("interp_cnn", INSTABILITY, "animal_part", "animal_part/single@vgg_16")
    assert found == shown(ratios, "animal_part")
    ratios = literal_ratios("part_interpretability", "pascal_part", "single")
    assert 1.3 < min(ratios) <= max(ratios) < 2.0
    assert published_ratio("interp_cnn", "part_interpretability", "fauna", "fauna/single") == shown(
        ratios, "pascal_part"
    )
    assert published_ratio("autoencoder_cls", INSTABILITY, "fauna", "fauna/single") == ""


def test_published_ratios_of_other_datasets_and_settings_are_named() -> None:
    datasets = ("animal_part", "cub", "pascal_part")
    expected = ", ".join(shown(literal_ratios(INSTABILITY, name, "single"), name) for name in datasets)
    assert published_ratio("interp_cnn", INSTABILITY, "fauna", "fauna/single") == expected
    settings = ("multi_logistic", "multi_softmax")
    expected = ", ".join(
        shown(literal_ratios(INSTABILITY, "pascal_part", name), f"pascal_part {name}") for name in settings
    )
    assert published_ratio("interp_cnn", INSTABILITY, "pascal_part", "pascal_part/multi") == expected


# Directions


def test_the_papers_ordinary_cnn_is_the_ordinary_network_where_a_board_has_it() -> None:
    names = ["interp_cnn", "autoencoder", "top_conv"]
    rows = [row for name in names for row in cells(name, lambda t, s: located(0.1, 0.1))]
    rows += [row for name in names for row in cells(name, lambda t, s: located(0.1, 0.1), dataset="animal_part")]
    rows += cells(ORDINARY, lambda t, s: located(0.15, 0.15))
    found = directions(frame(rows))
    found = found[found["metric"] == INSTABILITY].set_index(["board", "explainer"])
    assert found["other"].to_dict() == {
        ("animal_part/single", "interp_cnn"): "top_conv",
        ("animal_part/single", "autoencoder"): "top_conv",
        ("fauna/single", "interp_cnn"): ORDINARY,
        ("fauna/single", "autoencoder"): "top_conv",
    }
    fauna = found.loc[("fauna/single", "interp_cnn")]
    assert fauna["published"].startswith("better (")
    assert (fauna["verdict"], fauna["holds"]) == ("better", "yes")


def test_controls_are_not_asked_for_the_papers_direction() -> None:
    names = ["interp_cnn (loss=false)", "interp_cnn (trained=false)", "interp_cnn (mask=false)", ORDINARY]
    found = directions(frame([row for name in names for row in cells(name, lambda t, s: located(0.1, 0.1))]))
    assert {tuple(row) for row in found[["explainer", "metric"]].to_numpy()} == {
        ("interp_cnn (loss=false)", "accuracy"),
        ("interp_cnn (mask=false)", "accuracy"),
        ("interp_cnn (mask=false)", INSTABILITY),
    }


# Controls


@pytest.mark.parametrize(
    "name", ["random_maps", "random_maps (concepts=9)", "centre_map", "interp_cnn (trained=false)"]
)
def test_controls_of_every_metric(name: str) -> None:
    assert all(is_control(name, metric) for metric in (INSTABILITY, NULL, "accuracy", "locality"))


def test_the_mask_alone_controls_location_and_parts_but_not_accuracy() -> None:
    controlled = (INSTABILITY, NULL, "part_following", "part_interpretability", "part_interpretability@part=head")
    for name in ("interp_cnn (loss=false)", "interp_cnn (loss=false,profile=released)"):
        assert all(is_control(name, metric) for metric in controlled)
    assert is_control("interp_cnn (profile=released,trained=false)", "locality")
    assert not is_control("interp_cnn (profile=released)", INSTABILITY)
    assert not any(is_control("interp_cnn (loss=false)", metric) for metric in ("accuracy", "locality"))
    assert not any(is_control(name, INSTABILITY) for name in ("interp_cnn", "interp_cnn (mask=false)", ORDINARY))


def planted() -> list[dict[str, Any]]:
    """The mask alone is the strongest control of instability, and the best classifier but one."""
    numbers = {
        "interp_cnn": located(0.10, 0.13, 0.90),
        "interp_cnn (mask=false)": located(0.20, 0.21, 0.99),
        "interp_cnn (loss=false)": located(0.15, 0.16, 0.95),
        "interp_cnn (trained=false)": located(0.16, 0.16, 0.50),
        "random_maps": {INSTABILITY: 0.18},
    }
    return [row for name, values in numbers.items() for row in cells(name, lambda t, s, values=values: values)]


def test_a_control_has_no_rank_in_the_metrics_it_controls_and_the_strongest_counts() -> None:
    table = board(frame(planted()))
    table = table.assign(name=[f"{e} {v}".strip() for e, v in zip(table["explainer"], table["variant"], strict=True)])
    instability = table[table["metric"] == INSTABILITY].set_index("name")
    assert instability["rank"].dropna().to_dict() == {"interp_cnn": 1, "interp_cnn mask=false": 2}
    assert instability.index[instability["beaten_by_control"]].tolist() == ["interp_cnn mask=false"]
    accuracy = table[table["metric"] == "accuracy"].set_index("name")
    assert accuracy["rank"].dropna().to_dict() == {
        "interp_cnn mask=false": 1,
        "interp_cnn loss=false": 2,
        "interp_cnn": 3,
    }
    assert accuracy.index[accuracy["control"]].tolist() == ["interp_cnn trained=false"]
    assert not accuracy["beaten_by_control"].any()


def test_the_overview_lists_last_what_controls_every_metric() -> None:
    page = flat(pages(frame(planted()))["fauna.md"])
    overview = page[page.index("### Overview") : page.index("### accuracy")]
    names = re.findall(r"^\| ([^|]+?) \|", overview, re.M)[1:]
    assert names == [
        "interp_cnn",
        "interp_cnn (loss=false)",
        "interp_cnn (mask=false)",
        "interp_cnn (trained=false)",
        "random_maps",
    ]


# What stands beside a metric


def part(page: str, heading: str) -> str:
    return flat(page).partition(f"### {heading}\n")[2].partition("\n#")[0]


@pytest.mark.parametrize("category", ["cat", "multi"])
def test_instability_stands_beside_its_null_part_following_and_accuracy(category: str) -> None:
    rows = [row for s in range(3) for row in cell("interp_cnn", category, s, located(0.1, 0.13, 0.9))]
    rows += [row for s in range(3) for row in cell("centre_map", category, s, {INSTABILITY: 0.07})]
    rows += [row for s in range(3) for row in cell("interp_cnn", category, s, {"part_interpretability": 0.3})]
    page = pages(frame(rows))["fauna.md"]
    table = part(page, "location_instability ↓")
    assert "| 95 % interval | shuffled null | part_following ↑ | accuracy ↑ | coverage |" in table
    assert "to 0.101 | 0.130 | 0.030 | 0.900 | 1/1 |" in table
    assert "to 0.071 | — | — | — | 1/1 |" in table
    for heading in ("part_following ↑", "part_interpretability ↑"):
        assert "| 95 % interval | accuracy ↑ | coverage |" in part(page, heading)
        assert "| 0.900 | 1/1 |" in part(page, heading)
    assert "| 95 % interval | coverage |" in part(page, "accuracy ↑")
    assert "Read raw instability beside its null" in page


def test_notes_of_scored_rows_stand_under_the_table_once_and_missing_values_do_not() -> None:
    reasons = ["", "part boxes stand in for masks", "2 of 128 filters have no value"]
    reasons += [f"3 of 128 filters have no value; {reasons[1]}"]
    rows = []
    for s, reason in enumerate(reasons):
        rows += cell("interp_cnn", 0, s, {"part_interpretability": 0.3}, reason=reason)
        rows += cell("interp_cnn", 0, s, {"accuracy": 0.9}, reason="1 of 9 images have no value")
    rows += cell("srae", 0, 0, {"part_interpretability": np.nan}, status="failed", reason="out of memory")
    page = pages(frame(rows))["fauna.md"]
    table = part(page, "part_interpretability ↑")
    assert table.rstrip().endswith("|\n\nNote: part boxes stand in for masks.")
    assert page.count("Note: ") == 1


def test_the_page_shows_the_gain_and_its_parts() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.09, 0.13, 0.85), dataset="animal_part")
    rows += cells(ORDINARY, lambda t, s: located(0.15, 0.155, 0.9), dataset="animal_part")
    page = flat(pages(frame(rows))["animal_part.md"])
    head = "| explainer | against | pairs | ratio | published | gain | lower null | part-following |"
    assert f"{head} accuracy difference |" in page
    line = (
        "| interp_cnn | top_conv (network=ordinary) | 12 | 0.600 (0.600 to 0.600) | 0.61 (0.59 to 0.62) animal_part |"
    )
    assert f"{line} 0.060 | 0.025 | 0.035 (0.035 to 0.035) | -0.050 (-0.050 to -0.050) |" in page
