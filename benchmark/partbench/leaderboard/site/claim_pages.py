"""A page per published claim: what a paper says beside what was measured, board by board."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from partbench.leaderboard.claims import CLAIM
from partbench.leaderboard.site.links import page_of
from partbench.leaderboard.site.templating import render
from partbench.results.plain_text import printable


@dataclass(frozen=True)
class ClaimLine:
    """A claim on a board: numbers in the unit of the claim, None where there is none; the verdict; what it rests on.

    `remarks` say why nothing is concluded, what was not run, and what else to know.
    """

    board: str
    setting: str
    published: float | None
    published_low: float | None
    published_high: float | None
    measured: float | None
    low: float | None
    high: float | None
    verdict: str
    size: str
    seeds: str
    one_seed: bool
    images: int
    remarks: Sequence[str]
    cells: Sequence[str]


@dataclass(frozen=True)
class Claim:
    """A claim of a paper and where it stands; `unit` is what its numbers are: a ratio, a difference or a value."""

    id: str
    paper: str
    source: str
    claimed: str
    on: str
    unit: str
    lines: Sequence[ClaimLine]

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of its lines, each once."""
        return list(dict.fromkeys(line.verdict for line in self.lines))


def claims_of(ledger: pd.DataFrame) -> list[Claim]:
    """The claims of a ledger, see `leaderboard.claims.ledger`, with default options."""
    found: dict[str, list[Mapping[Hashable, Any]]] = {}
    for row in ledger[ledger["role"] == CLAIM].to_dict("records"):
        found.setdefault(row["claim"], []).append(row)
    return [_claim(rows) for rows in found.values()]


def claim_pages(claims: Sequence[Claim]) -> Iterator[tuple[str, str]]:
    """The ledger and a page for each claim; nothing where there are no claims."""
    if not claims:
        return
    yield "claims.html", render("claims.html", here="claims", ledger=claims, claims=True)
    for claim in claims:
        yield page_of("claims", claim.id), render("claim.html", root="../", here="claims", claim=claim, claims=True)


def _claim(rows: Sequence[Mapping[Hashable, Any]]) -> Claim:
    first = rows[0]
    texts = {name: printable(str(first[name])) for name in ("paper", "source", "claimed", "on", "unit")}
    return Claim(printable(str(first["claim"])), **texts, lines=[_line(row) for row in rows if row["board"]])


def _line(row: Mapping[Hashable, Any]) -> ClaimLine:
    numbers = {
        name: None if pd.isna(row[name]) else float(row[name])
        for name in ("published", "published_low", "published_high", "measured", "low", "high")
    }
    texts = {name: printable(str(row[name])) for name in ("board", "setting", "verdict", "size", "seeds")}
    found = (row["lacks"], row["command"] and f"to measure: {row['command']}", row["checks"])
    remarks = [printable(str(text)) for text in found if text]
    about: dict[str, Any] = {**texts, **numbers}
    return ClaimLine(
        **about, one_seed=bool(row["one_seed"]), images=int(row["images"]), remarks=remarks, cells=list(row["cells"])
    )
