"""Pages of metrics: rankings with columns for variants."""

from __future__ import annotations

import re

from planted_results import cell, planted

from partbench.leaderboard.site.data import site_data
from partbench.leaderboard.site.facts import Facts
from partbench.leaderboard.site.metric_pages import metric_pages
from partbench.leaderboard.sources import Sources


def rows_of(page: str) -> list[list[str]]:
    """The texts of the cells of a page's only table, heads first."""
    rows = [re.split(r"<t[hd][^>]*>", row)[1:] for row in page.split("<table")[1].split("</table>")[0].split("<tr")[1:]]
    return [[re.sub("<[^>]*>", "", text).strip() for text in row] for row in rows]


def test_variants_of_a_metric_are_columns_of_its_ranking_and_only_those_that_a_method_has() -> None:
    rows = []
    for task in range(2):
        rows += cell("srae", task, 0, {"locality": 0.2, "locality@a=x": 0.7, "locality@a=y": 0.8})
        rows += cell("nn", task, 0, {"locality": 0.3, "locality@a=y": 0.6})
        rows += cell("noise", task, 0, {"locality": 0.5, "locality@seen": 0.1}, control="floor")
    rows += cell("cae", 0, 0, {"locality@a=x": 0.4}) + cell("cae", 1, 0, {"locality@a=x": 0.4, "locality": 0.1})
    page = dict(metric_pages(site_data(Sources(*planted(rows))), Facts(), {}, False))["metrics/locality.html"]
    heads, *lines = rows_of(page)
    assert heads[:3] + heads[7:] == ["Rank", "Explainer", "Value", "@a=x", "@a=y"]
    assert [[line[1], *line[7:]] for line in lines] == [
        ["srae", "0.700", "0.800"], ["nn", "", "0.600"], ["noise", "", ""], ["cae", "0.400", ""],
    ]  # fmt: skip
    assert lines[-1][2:4] == ["—", ""]


def test_a_ranking_shows_the_best_floor_alone() -> None:
    rows = cell("srae", 0, 0, {"locality": 0.2})
    for name, value in {"worse": 0.8, "better": 0.4}.items():
        rows += cell(name, 0, 0, {"locality": value}, control="floor")
    page = dict(metric_pages(site_data(Sources(*planted(rows))), Facts(), {}, False))["metrics/locality.html"]
    assert [line[1] for line in rows_of(page)] == ["Explainer", "srae", "better"]
