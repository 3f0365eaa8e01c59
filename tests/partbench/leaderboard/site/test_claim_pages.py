from __future__ import annotations

from dataclasses import replace

import pandas as pd

from partbench.leaderboard.claims import ledger
from partbench.leaderboard.claims_measured import MeasuredClaim
from partbench.leaderboard.claims_on_boards import ClaimOnBoard
from partbench.leaderboard.claims_stated import Printed, stated
from partbench.leaderboard.ledger_line import LedgerLine
from partbench.leaderboard.site.claim_pages import claim_pages, claims_of
from partbench.results.index import EVIDENCE_COLUMNS
from partbench.results.schema import COLUMNS as OF_RESULTS


def line(claim: str, board: str, verdict: str = "holds", role: str = "claim") -> LedgerLine:
    said = replace(stated().claims[0], id=claim, unit="ratio")
    number = MeasuredClaim("ratio", 0.7, 0.65, 0.75, 0.01, 1, True, False, (f"{board}/t0",), 30)
    printed = Printed(0.6, 0.5, 0.7, ("cub",), ())
    return LedgerLine(ClaimOnBoard(said, role, board), printed, number, cells=("a.parquet",), verdict=verdict)


def test_a_claim_has_one_page_with_a_part_for_each_board() -> None:
    rows = [line("stable", "fauna/*"), line("stable", "animal_part/*", verdict="not separated"), line("other", "")]
    claims = claims_of(rows)
    assert [(claim.id, claim.verdicts) for claim in claims] == [
        ("stable", ["holds", "not separated"]),
        ("other", []),
    ]
    pages = dict(claim_pages(claims))
    assert pages.keys() == {"claims.html", "claims/stable.html", "claims/other.html"}
    assert pages["claims/stable.html"].count("<dd>1 file<") == 2
    assert "Not measured." in pages["claims/other.html"]


def test_other_options_of_a_method_are_no_lines_of_a_claim() -> None:
    rows = [line("stable", "fauna/*"), line("stable", "fauna/*", role="option", verdict="does not")]
    assert [one.verdicts for one in claims_of(rows)] == [["holds"]]


def test_without_results_every_claim_says_how_to_measure_it_or_what_lacks() -> None:
    empty = ledger(pd.DataFrame(columns=list(OF_RESULTS)), pd.DataFrame(columns=list(EVIDENCE_COLUMNS)))
    claims = claims_of(empty)
    assert len(claims) > 40
    assert all(line.measured is None and line.remarks for claim in claims for line in claim.lines)
