from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted_results import INSTABILITY, ORDINARY, cells, flat, planted

from partbench.leaderboard.build import HEADER, pages
from partbench.leaderboard.claims import ledger
from partbench.leaderboard.claims_page import claims_csv, claims_page
from partbench.leaderboard.claims_stated import stated
from partbench.leaderboard.ledger_line import LedgerLine, with_cards
from partbench.leaderboard.sources import Sources

HOSTILE = "a=|<script>alert(1)</script>\n[x](http://evil)"


def results(**changes: Any) -> list[dict[str, Any]]:
    rows = cells("interp_cnn", lambda t, s: {INSTABILITY: 0.1 + 0.001 * s, "balanced_accuracy": 0.9}, binary=True)
    rows += cells(ORDINARY, lambda t, s: {INSTABILITY: 0.15, "balanced_accuracy": 0.9}, binary=True)
    varied = {"variant": HOSTILE, "cell": "=hostile", **changes}
    return rows + cells("interp_cnn", lambda t, s: {INSTABILITY: 0.1}, tasks=1, seeds=1, binary=True, **varied)


def lines(**changes: Any) -> list[LedgerLine]:
    return ledger(*planted(results(**changes)))


def test_the_page_says_claim_published_and_measured_value_setting_and_verdict() -> None:
    page = flat(claims_page(lines()))
    [line] = [line for line in page.splitlines() if "less unstable" in line and "fauna/" in line]
    assert re.search(r"ratio 0\.582 \(0\.439 to 0\.691\); animal_part, cub, pascal_part", line)
    assert re.search(r"fauna/\\\*: same kind of task, other data \| ratio 0\.673 \(0\.6\d\d to 0\.6\d\d\) \|", line)
    assert "| **holds** | as published | < .001 | 0 1 2 | 200 | [24](../results/fauna) |" in line
    assert "| fauna/\\* | interp_cnn | balanced_accuracy 0.900 |" in page


def test_the_page_counts_verdicts_and_names_every_claim_that_was_not_measured() -> None:
    page = flat(claims_page(lines()))
    title = stated().papers["interpretable-cnn"].title
    assert f"| {title} | 1 of 6 | 1 | 1 | 0 | 0 | 0 | 0 | 0 |" in page
    for claim in stated().claims:
        assert claim.id == "icnn-instability" or claim.id in page


def test_the_page_tells_one_command_for_all_that_a_board_lacks() -> None:
    page = flat(claims_page(lines()))
    [line] = [line for line in page.splitlines() if line.startswith("| srae-") and "| fauna/multi:" in line]
    plugins = re.findall(r"--plugin (\w+)", line)
    assert sorted(plugins) == sorted({"srae", "nn", "sae", "cae", "lasso", "z", "excitation_bp"})
    assert line.endswith("--task 'fauna/multi:*' --seed 0 --seed 1 --seed 2` |")


def test_lines_in_metrics_not_to_be_used_are_marked_and_counted() -> None:
    uses = {(INSTABILITY, "fauna"): "do not use here"}
    marked = with_cards(lines(), uses)
    page = flat(claims_page(marked))
    assert "| holds § | as published |" in page
    assert "**holds**" not in page
    assert f"| {stated().papers['interpretable-cnn'].title} | 1 of 6 | 1 | 1 | 0 | 0 | 0 | 0 | 1 |" in page
    read = pd.read_csv(io.StringIO(claims_csv(marked)), keep_default_na=False)
    assert read.loc[read["verdict"] == "holds", "card"].unique() == ["do not use here"]
    assert flat(pages(Sources(*planted(results())), uses)["claims.md"]).endswith(page)


def test_a_line_that_depends_on_options_names_them() -> None:
    found = [
        replace(line, turned_by=HOSTILE) if line.verdict == "holds" and line.role == "claim" else line
        for line in lines()
    ]
    page = claims_page(found)
    [line] = [line for line in page.splitlines() if "surely on the other side with a=" in line]
    assert "| **holds**, but depends on options |" in flat(line)
    assert "<script>" not in line


def test_hostile_texts_stay_text() -> None:
    page = claims_page(lines())
    assert "<script>" not in page
    assert "http:" not in page
    assert not re.search(r"(?<!\\)\]\((?!\.\./docs/(?:claims|metrics)\.md|\.\./results/|claims\.csv)", page)
    assert all(line.count("\\|") == 1 for line in page.splitlines() if "&lt;script&gt;" in line)
    read = list(csv.DictReader(io.StringIO(claims_csv(lines()))))
    assert all(not value.startswith(("=", "@", "\t")) and "\n" not in value for row in read for value in row.values())
    assert any("<script>" in row["explainer"] for row in read)


def test_the_comma_separated_values_are_the_ledger() -> None:
    found = lines(variant="rho=0.1", cell="varied")
    read = pd.read_csv(io.StringIO(claims_csv(found)), keep_default_na=False)
    assert read["id"].tolist() == [line.asked.id for line in found]
    assert read["verdict"].tolist() == [line.verdict for line in found]
    assert read["cells"].tolist() == [" ".join(line.cells) for line in found]
    values = [line.measured.value if line.measured else np.nan for line in found]
    assert read["measured"].replace("", np.nan).astype(float).tolist() == pytest.approx(values, rel=1e-5, nan_ok=True)


def test_leaderboards_hold_the_ledger_where_a_claim_is_measured() -> None:
    made = planted(results())
    found = pages(Sources(*made), {})
    assert found["claims.md"].startswith(HEADER)
    assert found["claims.csv"] == claims_csv(ledger(*made))
    shuffled = pages(Sources(*(table.sample(frac=1, random_state=0) for table in made)), {})
    assert (found["claims.md"], found["claims.csv"]) == (shuffled["claims.md"], shuffled["claims.csv"])
    others = Sources(*planted(cells("mine", lambda t, s: {INSTABILITY: 0.1})))
    assert set(pages(others, {})) == {
        "fauna.md",
        "fauna.csv",
        "fauna/multi.each.md",
    }


def test_pages_of_some_datasets_leave_the_ledger_whole() -> None:
    rows = [*results(), *cells("interp_cnn", lambda t, s: {INSTABILITY: 0.1}, dataset="animal_part")]
    made = planted(rows)
    some = pages(Sources(*made), {}, ["animal_part"])
    assert set(some) == {"animal_part.md", "animal_part.csv", "animal_part/multi.each.md", "claims.md", "claims.csv"}
    assert some["claims.csv"] == pages(Sources(*made), {})["claims.csv"]
