from __future__ import annotations

from typing import Any

import pandas as pd

from partbench.leaderboard.claims import COLUMNS, ledger
from partbench.leaderboard.site.claim_pages import claim_pages, claims_of
from partbench.results.index import EVIDENCE_COLUMNS
from partbench.results.schema import COLUMNS as OF_RESULTS


def line(claim: str, board: str, **said: Any) -> dict[str, Any]:
    usual = dict.fromkeys(COLUMNS, "") | {"published": 0.6, "published_low": 0.5, "published_high": 0.7}
    usual |= {"measured": 0.7, "low": 0.65, "high": 0.75, "images": 30, "one_seed": False, "cells": ("a.parquet",)}
    return usual | {"role": "claim", "claim": claim, "board": board, "verdict": "holds", "unit": "ratio", **said}


def test_a_claim_has_one_page_with_a_part_for_each_board() -> None:
    rows = [line("stable", "fauna/*"), line("stable", "animal_part/*", verdict="not separated"), line("other", "")]
    claims = claims_of(pd.DataFrame(rows))
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
    assert [one.verdicts for one in claims_of(pd.DataFrame(rows))] == [["holds"]]


def test_without_results_every_claim_says_how_to_measure_it_or_what_lacks() -> None:
    empty = ledger(pd.DataFrame(columns=list(OF_RESULTS)), pd.DataFrame(columns=list(EVIDENCE_COLUMNS)))
    claims = claims_of(empty)
    assert len(claims) > 40
    assert all(line.measured is None and line.remarks for claim in claims for line in claim.lines)
