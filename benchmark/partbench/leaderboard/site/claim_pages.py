"""A page per published claim: what a paper says beside what was measured, board by board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from partbench.leaderboard.claims_measured import MeasuredClaim
from partbench.leaderboard.claims_on_boards import CLAIM
from partbench.leaderboard.claims_stated import RATIO, Printed, stated
from partbench.leaderboard.ledger_line import LedgerLine, by_claim
from partbench.leaderboard.site.links import page_of
from partbench.leaderboard.site.templating import render
from partbench.results.plain_text import printable


@dataclass(frozen=True)
class ClaimLine:
    """A claim on a board: numbers in the unit of the claim, None where there is none; the verdict; what it rests on.

    `remarks` say why nothing is concluded, what was not run, and what else to know; `command` makes what was not run.
    `checks`: whether networks and losses work here. `floors`: which explainers are not surely better than every floor.
    `unfit`: the card of the metric says not to use it.
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
    command: str = ""
    checks: str = ""
    floors: str = ""
    unfit: bool = False


@dataclass(frozen=True)
class Claim:
    """A claim of a paper and where it stands; `unit` is what its numbers are: a ratio, a difference or a value.

    `title` is that of the paper, `compared` whose numbers are compared, in words. Boards that were measured come first.
    """

    id: str
    paper: str
    source: str
    claimed: str
    on: str
    unit: str
    lines: Sequence[ClaimLine]
    metric: str = ""
    title: str = ""
    compared: str = ""

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of its lines, each once."""
        return list(dict.fromkeys(line.verdict for line in self.lines))


def claims_of(ledger: Iterable[LedgerLine]) -> list[Claim]:
    """The claims of a ledger, see `leaderboard.claims.ledger`, with default options."""
    return [_claim(lines) for lines in by_claim(line for line in ledger if line.role == CLAIM)]


def claim_pages(claims: Sequence[Claim]) -> Iterator[tuple[str, str]]:
    """The ledger and a page for each claim; nothing where there are no claims."""
    if not claims:
        return
    yield "claims.html", render("claims.html", here="claims", ledger=claims, claims=True)
    for claim in claims:
        yield page_of("claims", claim.id), render("claim.html", root="../", here="claims", claim=claim, claims=True)


def _claim(lines: Sequence[LedgerLine]) -> Claim:
    first = lines[0]
    said = first.claim
    by_board = sorted((line for line in lines if line.board), key=lambda line: line.measured is None)
    between = " over " if first.unit == RATIO else " minus "
    return Claim(
        id=printable(said.id), paper=printable(said.paper), source=printable(said.source),
        claimed=printable(said.says), on=first.on, unit=first.unit, lines=[_line(line) for line in by_board],
        metric=printable(said.metric), title=printable(stated().papers[said.paper].title),
        compared=printable(between.join(filter(None, (said.explainer, said.other)))),
    )  # fmt: skip


def _line(line: LedgerLine) -> ClaimLine:
    published, published_low, published_high = _numbers(line.published)
    measured, low, high = _numbers(line.measured)
    turned = line.turned_by and f"surely on the other side with other options: {line.turned_by}"
    return ClaimLine(
        board=printable(line.board), setting=line.setting, published=published, published_low=published_low,
        published_high=published_high, measured=measured, low=low, high=high, verdict=line.told, size=line.size,
        seeds=line.seeds, one_seed=line.one_seed, images=line.images,
        remarks=[printable(text) for text in (line.lacks, turned) if text], cells=line.cells,
        command=printable(line.command), checks=printable(line.checks),
        floors=printable(line.floors), unfit=line.in_unfit_metric,
    )  # fmt: skip


def _numbers(found: Printed | MeasuredClaim | None) -> tuple[float | None, float | None, float | None]:
    """A value and its bounds."""
    if found is None:
        return None, None, None
    value, low, high = (None if math.isnan(one) else one for one in (found.value, found.low, found.high))
    return value, low, high
