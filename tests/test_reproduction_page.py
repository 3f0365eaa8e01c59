"""The page of reproductions is what its script makes of the committed results, and leaves nothing out."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from partbench.leaderboard.claims_stated import stated
from partbench.leaderboard.current import current
from partbench.leaderboard.markdown import escape
from partbench.results.store import load_results

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "reproduction.md").read_text()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import reproduction

    return reproduction


def test_the_page_is_what_the_script_makes_of_the_results(script: ModuleType) -> None:
    assert script.page(script.Results(REPOSITORY / "results"), script.ledger_lines()) == PAGE


def test_all_that_was_run_of_the_methods_is_on_the_page(script: ModuleType) -> None:
    rows = current(load_results(REPOSITORY / "results", datasets=script.DATASETS))
    methods = rows["explainer"].isin(["interp_cnn", "autoencoder", "autoencoder_cls", "additive"])
    run = rows[methods & rows["scored"] & rows["board"].isin([*script.BOARDS, script.ATTRIBUTES])]
    sections = PAGE.split("\n### ")
    for board, label, task in run[["board", "label", "task"]].drop_duplicates().itertuples(index=False):
        assert any(
            section.startswith((escape(board), escape(task))) and escape(label) in section for section in sections
        ), (board, label)


def test_a_table_stands_beside_what_the_paper_prints_of_the_same_pair_and_kind_of_task(script: ModuleType) -> None:
    line = script.published_line("interp_cnn", script.ORDINARY, "animal_part/*")
    assert "location_instability 0.612 (0.590 to 0.623) on animal_part" in line  # means of Table 3
    assert "part_interpretability 1.734 (1.518 to 1.983) on pascal_part" in line  # Table 1
    assert script.published_line("interp_cnn", script.ORDINARY, "fauna/attribute-*") == ""
    assert script.published_line("autoencoder_cls", "top_conv", "fauna/*") == ""


def test_a_claim_that_holds_as_published_is_not_among_those_that_do_not_reproduce(script: ModuleType) -> None:
    lines = script.ledger_lines()
    claim = lines[lines["role"].eq("claim") & lines["board"].eq("fauna/*")].assign(verdict="holds", size="as published")
    assert list(script.not_reproduced(claim, script.BOARDS)) == []
    told = dict(script.not_reproduced(claim.assign(verdict="does not"), script.BOARDS))
    own = set(claim["paper"]) - {"srae"}  # whose boards are others
    assert set(told) == {stated().papers[paper].title for paper in own}


def test_sums_that_deviate_alike_from_the_logit_are_counted_where_they_are_not_all() -> None:
    sections = [section for section in PAGE.split("\n### ") if ": additive" in section]
    assert len(sections) > 3
    for section in sections:
        lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
        rows = [[cell.strip() for cell in line] for line in lines]
        mine, theirs = rows[0].index("relative deviation"), rows[0].index("of no prior")
        pairs = [(float(row[mine]), float(row[theirs])) for row in rows[1:] if not row[0].startswith("**")]
        equal = sum(abs(a - b) <= 0.1 * min(a, b) for a, b in pairs)
        told = [row[0] for row in rows if "equal deviation" in row[0]]
        assert told == ([] if equal == len(pairs) else [f"**mean of {equal} of equal deviation**"])


def test_a_pair_of_srae_is_shown_as_printed_beside_the_line_of_the_ledger(script: ModuleType) -> None:
    line = {"claim": "one", "role": "claim", "paper": "srae", "board": "cub/multi:*", "metric": "locality"}
    found = {"other": "nn", "unit": "ratio", "measured": 0.5, "low": 0.4, "high": 0.6}
    ledger = pd.DataFrame([{**line, **found, "verdict": "holds", "card": "do not use here"}])
    row = script.srae_tables.directions(ledger).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["locality", "nn", "ratio"]
    assert cells[3:5] == [f"{1.9713 / 2.4360:.3f}", f"{2.7208 / 2.7756:.3f}"]  # the paper, Tables 1 and 3
    assert cells[5:] == ["0.500 [0.400, 0.600] holds §", "—", "—"]
