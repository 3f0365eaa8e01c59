from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pytest
from cards_sources import oracle
from planted_results import TASKS, flat, on_all_tasks, planted, row

from partbench.leaderboard.build import pages
from partbench.leaderboard.sources import Sources
from partbench.results.planted import SCHEMA

RANKS = {("accuracy", "fauna"): "ranks", ("location_instability", "fauna"): "screens only"}
VERDICTS = RANKS | {("locality", "fauna"): "do not use here"}
UP = {"higher_is_better": True, "metric": "accuracy"}
DOWN = {"metric": "location_instability"}


def scored() -> list[dict[str, Any]]:
    cost = {"fit_seconds": 12.3, "explain_seconds": 0.11, "peak_memory_mb": 812.4}
    rows = [*on_all_tasks("srae", 0.9, **UP, **cost), *on_all_tasks("nn", 0.6, **UP)]
    rows += on_all_tasks("mean_logit", 0.5, control="floor", **UP)
    rows += [*on_all_tasks("srae", 0.1, **DOWN), *on_all_tasks("nn", 0.3, **DOWN)]
    rows += on_all_tasks("centre_map", 0.2, control="floor", **DOWN)
    rows += on_all_tasks("srae", 0.95, variant="epochs=9", **UP)
    return [*rows, *on_all_tasks("srae", -0.0004)]


def page_of(
    rows: list[dict[str, Any]], verdicts: dict[tuple[str, str], str], runs: Iterable[dict[str, Any]] = ()
) -> str:
    frames = planted(rows)
    return pages(Sources(*frames, pd.DataFrame(list(runs), columns=SCHEMA.names)), verdicts)["fauna.md"]


def section(page: str, heading: str) -> str:
    return flat(page).partition(f"### {heading}\n")[2].partition("\n#")[0]


def test_metrics_that_rank_have_rank_intervals_and_costs() -> None:
    table = section(page_of(scored(), VERDICTS), "Metrics that rank")
    assert "| explainer | accuracy\N{NO-BREAK SPACE}↑<br>share | fit<br>s | image<br>s | memory<br>MB |" in table
    assert "| nn | 0.600 ‡ (2) | — | — | — |" in table
    assert "| srae | **0.900** (1) | 12 | 0.0022 | 812 |" in table
    assert "| *best floor* | 0.500 mean_logit | | | |" in table


def test_metrics_that_screen_have_marks_but_no_ranks() -> None:
    table = section(page_of(scored(), VERDICTS), "Metrics that screen")
    assert "| explainer | location_<wbr>instability\N{NO-BREAK SPACE}↓<br>share of diagonal |" in table
    assert "| nn | 0.300 † |" in table
    assert "| srae | 0.100 |" in table
    assert "| *best floor* | 0.200 centre_map |" in table


def test_metrics_not_to_be_used_are_named_and_left_to_the_details() -> None:
    page = page_of(scored(), VERDICTS)
    assert "Left out, since they say nothing here: locality. [Details](fauna/multi.each.md)." in page
    assert "locality ↓" not in page
    details = pages(Sources(*planted(scored())), VERDICTS)["fauna/multi.each.md"]
    assert "## locality ↓" in details
    assert "[Its card](../metrics/locality.md) says: do not use here." in details


def test_options_other_than_the_defaults_stand_in_the_details_alone() -> None:
    made = pages(Sources(*planted(scored())), VERDICTS)
    assert "epochs=9" not in made["fauna.md"]
    assert "epochs=9" in made["fauna/multi.each.md"]


def test_a_board_where_nothing_ranks_says_so_and_shows_costs() -> None:
    none = dict.fromkeys(VERDICTS, "screens only")
    table = section(page_of(scored(), none), "Metrics that rank: none here")
    assert "| explainer | fit<br>s | image<br>s | memory<br>MB |" in table
    assert "| srae | 12 | 0.0022 | 812 |" in table


def test_what_floors_alone_have_and_rows_of_nothing_are_left_out() -> None:
    rows = [*scored(), *on_all_tasks("maps", 0.2, **DOWN)]
    rows += on_all_tasks("mean_logit", 0.1, metric="contribution_error", control="floor")
    page = page_of(rows, VERDICTS)
    assert "without a verdict" not in page
    assert "contribution" not in page
    assert "| maps | — | — | — | — |" not in section(page, "Metrics that rank")
    assert "| maps | 0.200 † |" in section(page, "Metrics that screen")


def test_the_truth_stands_beside_the_best_floor_where_it_was_planted() -> None:
    runs = oracle(metric="accuracy", task="fauna/multi:bird") + oracle(metric="accuracy", task="fauna/multi:cat")
    page = flat(page_of(scored(), VERDICTS, runs))
    assert "| *truth* (multi:bird, multi:cat) | 0.950 | | | |" in page
    assert "truth* (" not in page_of(scored(), VERDICTS, oracle(metric="accuracy", task="fauna/multi:bird@lite0"))


def test_without_cards_all_metrics_are_shown_as_having_no_verdict() -> None:
    page = page_of(scored(), {})
    table = section(page, "Metrics without a verdict")
    assert "location_<wbr>instability\N{NO-BREAK SPACE}↓" in table
    assert "0.900** (1)" in table
    assert "metrics/README.md" not in page


def test_no_number_of_any_page_is_a_negative_zero() -> None:
    for page in pages(Sources(*planted(scored())), VERDICTS).values():
        assert not re.search(r"-0\.?0*(?![\d.])", page)


def test_a_board_of_twelve_explainers_takes_one_screen() -> None:
    rows = [
        row for k in range(12) for row in (*on_all_tasks(f"e{k}", k / 20, **UP), *on_all_tasks(f"e{k}", k / 20, **DOWN))
    ]
    page = page_of([*rows, *on_all_tasks("mean_logit", 0.1, control="floor", **UP)], VERDICTS)
    assert len(page.partition("\n## ")[2].splitlines()) <= 40


def test_the_heading_of_a_board_says_what_is_explained_of_which_network() -> None:
    tasks = ("cat", "cat:others", "multi", "multi:cat", "attribute-wild")
    page = page_of([row("srae", "cat", 1.0, task=f"fauna/{task}") for task in tasks], {})
    found = dict(re.findall(r"^## fauna/(.*)\n\nNetwork explained: small_vgg; (.*)\. \[Details\]", page, re.M))
    assert list(found) == [r"\*", r"\*:others", r"attribute-\*", "multi", r"multi:\*"]
    assert found["multi"] == "all categories explained at once"
    assert "tells all categories apart: cat" in found[r"multi:\*"]
    assert "random images: cat" in found[r"\*"]


@pytest.mark.parametrize("name", ["metrics", "site", "claims"])
def test_a_dataset_takes_no_name_of_another_page(name: str) -> None:
    made = pages(Sources(*planted(row("srae", c, 1.0, dataset=name, task=f"{name}/{c}") for c in TASKS)), {})
    assert {f"{name}~.md", f"{name}~.csv", f"{name}~/each.md"} <= set(made)
