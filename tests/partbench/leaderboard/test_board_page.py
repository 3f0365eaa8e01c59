from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from planted_results import INSTABILITY, ORDINARY, TASKS, cell, cells, flat, located, on_all_tasks, planted, row

from partbench.leaderboard.build import pages
from partbench.leaderboard.sources import Sources

FAUNA, ANIMALS = "fauna/multi.each.md", "animal_part/each.md"
HOSTILE = "<script>alert(1)</script> | a\nb *x* [l](u) `c`"


def many() -> list[dict[str, Any]]:
    rows = [*on_all_tasks("srae", 0.2), *on_all_tasks("nn", 0.5), *on_all_tasks("still", 0.4, control="floor")]
    rows += on_all_tasks("srae", 0.9, metric="masked_accuracy@gamma=0.01", higher_is_better=True)
    return [*rows, *(row("nn", c, None, metric="accuracy", status="skipped", reason=HOSTILE) for c in TASKS)]


def test_a_page_shows_directions_ranks_marks_and_reasons() -> None:
    page = re.sub(" +", " ", pages(Sources(*planted(many())), {})[FAUNA])  # columns are padded
    assert "| explainer | locality ↓ |" in page
    assert "| 1 | **srae** | **0.200** |" in page
    assert "| 2 | nn | 0.500 † |" in page
    assert page.index("| 2 | nn |") < page.index("| floor | still |")
    assert "| explainer | masked_accuracy@gamma=0.01 |" in page
    assert "| nn | skipped | accuracy | &lt;script&gt;" in page
    assert "one_vs_all_positive" in page


def controlled() -> list[dict[str, Any]]:
    numbers = {
        "interp_cnn": (located(0.10, 0.13, 0.90), ""),
        "interp_cnn (loss=false)": (located(0.09, 0.16, 0.95), "ablation"),
        "a_floor": ({INSTABILITY: 0.18}, "floor"),
        "a_simple_one": (located(0.15, 0.16, 0.5), "baseline"),
    }
    return [
        row
        for name, (values, control) in numbers.items()
        for row in cells(name, lambda t, s, values=values: values, control=control)
    ]


def first_column(table: str, at: int = 1) -> list[str]:
    lines = [line.split("|") for line in table.splitlines() if line.startswith("|")]
    return [line[at].strip().strip("*") for line in lines[2:]]


def test_the_overview_and_each_ranking_list_floors_and_ablations_last() -> None:
    page = pages(Sources(*planted(controlled())), {})[FAUNA]
    overview = page[page.index("## Overview") : page.index("## accuracy")]
    assert first_column(overview) == ["a_simple_one", "interp_cnn", "a_floor", "interp_cnn (loss=false)"]
    ranking = part(page, "location_instability ↓")
    assert first_column(ranking, 2) == ["interp_cnn", "a_simple_one", "interp_cnn (loss=false)", "a_floor"]
    assert first_column(ranking) == ["1", "2", "ablation", "floor"]


def test_the_page_names_the_floors_and_ablations_of_its_rows_and_no_others() -> None:
    page = " ".join(pages(Sources(*planted(controlled())), {})[FAUNA].split())
    assert "they have no rank: a_floor. Ablations" in page
    assert "they have no rank: interp_cnn (loss=false)." in page
    assert "Ablations" not in pages(Sources(*planted(on_all_tasks("srae", 0.2))), {})[FAUNA]


def part(page: str, heading: str) -> str:
    return flat(page).partition(f"## {heading}\n")[2].partition("\n#")[0]


@pytest.mark.parametrize("category", ["cat", "multi"])
def test_instability_stands_beside_its_null_part_following_and_accuracy(category: str) -> None:
    rows = [row for s in range(3) for row in cell("interp_cnn", category, s, located(0.1, 0.13, 0.9))]
    rows += [row for s in range(3) for row in cell("centre_map", category, s, {INSTABILITY: 0.07})]
    rows += [row for s in range(3) for row in cell("interp_cnn", category, s, {"part_interpretability": 0.3})]
    page = pages(Sources(*planted(rows)), {})["fauna/multi.md" if category == "multi" else FAUNA]
    table = part(page, "location_instability ↓")
    assert "| 95 % interval | shuffled null | part_following ↑ | accuracy ↑ | coverage |" in table
    assert "to 0.101 | 0.130 | 0.030 | 0.900 | 1/1 |" in table
    assert "to 0.071 | — | — | — | 1/1 |" in table
    for heading in ("part_following ↑", "part_interpretability ↑"):
        assert "| 95 % interval | accuracy ↑ | coverage |" in part(page, heading)
        assert "| 0.900 | 1/1 |" in part(page, heading)
    assert "| 95 % interval | coverage |" in part(page, "accuracy ↑")
    assert "compare it with its shuffled null" in " ".join(page.split())


def test_notes_of_scored_rows_stand_under_the_table_once_and_missing_values_do_not() -> None:
    reasons = ["", "part boxes stand in for masks", "2 of 128 filters have no value"]
    reasons += [f"3 of 128 filters have no value; {reasons[1]}"]
    rows = []
    for s, reason in enumerate(reasons):
        rows += cell("interp_cnn", 0, s, {"part_interpretability": 0.3}, reason=reason)
        rows += cell("interp_cnn", 0, s, {"accuracy": 0.9}, reason="1 of 9 images have no value")
    rows += cell("srae", 0, 0, {"part_interpretability": np.nan}, status="failed", reason="out of memory")
    page = pages(Sources(*planted(rows)), {})[FAUNA]
    table = part(page, "part_interpretability ↑")
    assert table.rstrip().endswith("|\n\nNote: part boxes stand in for masks.")
    assert page.count("Note: ") == 1


def test_the_page_shows_the_gain_and_its_parts() -> None:
    rows = cells("interp_cnn", lambda t, s: located(0.09, 0.13, 0.85), dataset="animal_part", binary=True)
    rows += cells(ORDINARY, lambda t, s: located(0.15, 0.155, 0.9), dataset="animal_part", binary=True)
    page = flat(pages(Sources(*planted(rows)), {})[ANIMALS])
    head = "| explainer | against | tasks | ratio | published | gain | lower null | part_following |"
    assert f"{head} accuracy difference |" in page
    within = r"\(\S+ to \S+\)"
    names = rf"interp_cnn \| {re.escape(ORDINARY)} \| 4 \| 0\.600 {within} \| 0\.61 \(0\.59 to 0\.62\) animal_part"
    numbers = rf"0\.060 \| 0\.025 \| 0\.035 {within} \| -0\.050 {within}"
    assert re.search(rf"\| {names} \| {numbers} \|", page)
