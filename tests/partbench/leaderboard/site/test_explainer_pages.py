"""Pages of explainers: a row for each board and variant."""

from __future__ import annotations

import re

from planted_results import cell, planted

from partbench.leaderboard.site.data import site_data
from partbench.leaderboard.site.explainer_pages import explainer_pages
from partbench.leaderboard.site.facts import Facts
from partbench.leaderboard.sources import Sources


def test_an_explainer_has_a_row_for_each_board_and_variant_with_scores_and_costs() -> None:
    values = {"locality": 0.2, "accuracy": 0.9, "own_number": 0.25}
    rows = cell("srae", 0, 0, values) + cell("srae", "multi", 0, {"locality": 0.3})
    rows += cell("srae (beta=3)", 0, 0, {"accuracy": 0.8}) + cell("nn", 0, 0, {"relative_deviation": 1.0})
    for row in rows:
        row["higher_is_better"] = None if row["metric"] == "own_number" else row["higher_is_better"]
    table, images = planted(rows)
    data = site_data(Sources(table.assign(fit_seconds=2.5), images))
    page = dict(explainer_pages(data, Facts(), {}, False))["explainers/srae.html"]
    assert "bench run --plugin srae --task 'fauna/multi:*'</code>" in page
    body = page.split("scores-by-board")[1].split("</table>")[0]
    heads, *lines = [
        [re.sub("<[^>]*>", " ", text).split() for text in re.split(r"<t[hd][^>]*>", row)[1:]]
        for row in body.split("<tr")[1:]
    ]
    assert [" ".join(head) for head in heads] == ["Board", "accuracy ↑", "locality ↓", "Fit", "Per image", "Memory"]
    assert [line[0] for line in lines] == [["fauna/multi"], ["fauna/multi:*"], ["fauna/multi:*", "beta=3"]]
    assert [[cell[:1] for cell in line[1:4]] for line in lines] == [
        [[], ["0.300¹"], ["2.5"]], [["0.900¹"], ["0.200¹"], ["2.5"]], [["0.800¹"], [], ["2.5"]],
    ]  # fmt: skip
    assert lines[1][1][1:] == ["0.899", "to", "0.901"]
    assert "<dt>own_number<dd>0.250" in page.split("Numbers in detail")[1]


def test_the_command_of_a_page_has_tasks_that_the_explainer_runs_on() -> None:
    rows = cell("icnn", 0, 0, {"locality": 0.2}, binary=True) + cell("icnn", 0, 0, {"locality": 0.2}, dataset="cub")
    page = dict(explainer_pages(site_data(Sources(*planted(rows))), Facts(), {}, False))["explainers/icnn.html"]
    assert "bench run --plugin icnn --task 'fauna/*'</code>" in page
