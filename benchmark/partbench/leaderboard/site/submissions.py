"""Pages of explainers that are on no board: what others report of them, and the history of their cells."""

from __future__ import annotations

from collections.abc import Iterator

from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.links import page_of
from partbench.leaderboard.site.templating import render


def unranked_explainers(data: SiteData) -> list[str]:
    """Names of explainers that were submitted and have no score on a board."""
    return [name for name in data.submitted.explainers if name not in data.by_explainer]


def submission_pages(data: SiteData, claims: bool) -> Iterator[tuple[str, str]]:
    """A page for each explainer whose rows are all self-reported or withdrawn."""
    for name in unranked_explainers(data):
        yield page_of("explainers", name), render(
            "submitted.html", root="../", here="explainers", name=name, claims=claims,
            submitted=data.submitted.of(explainer=name),
        )  # fmt: skip
