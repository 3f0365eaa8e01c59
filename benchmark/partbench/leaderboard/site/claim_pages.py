"""A page per published claim: what a paper says beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from partbench.leaderboard.site.links import page_of
from partbench.leaderboard.site.templating import render


@dataclass(frozen=True)
class Claim:
    """A line of the ledger: a claim of a paper, where it stands, on what; published and measured value; verdict.

    `setting` is the one measured here, `cells` the keys of the cells that the measured value is from.
    """

    id: str
    paper: str
    source: str
    claimed: str
    on: str
    published: float | None
    measured: float | None
    low: float | None
    high: float | None
    setting: str
    verdict: str
    cells: Sequence[str] = ()


def claim_pages(claims: Sequence[Claim]) -> Iterator[tuple[str, str]]:
    """The ledger and a page for each claim; nothing where there are no claims."""
    if not claims:
        return
    yield "claims.html", render("claims.html", here="claims", ledger=claims, claims=True)
    for claim in claims:
        yield page_of("claims", claim.id), render("claim.html", root="../", here="claims", claim=claim, claims=True)
