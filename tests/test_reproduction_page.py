"""The page of reproductions is what its script makes of the committed results."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def test_the_page_is_what_the_script_makes_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import reproduction

    made = reproduction.page(reproduction.Results(REPOSITORY / "results"))
    assert (REPOSITORY / "docs" / "reproduction.md").read_text() == made


def test_a_pair_of_srae_is_shown_as_printed_beside_the_line_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import srae_tables

    line = {"claim": "one", "role": "claim", "paper": "srae", "board": "cub/multi:*", "metric": "locality"}
    found = {"other": "nn", "unit": "ratio", "measured": 0.5, "low": 0.4, "high": 0.6}
    ledger = pd.DataFrame([{**line, **found, "verdict": "holds", "card": "do not use here"}])
    row = srae_tables.directions(ledger).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["locality", "nn", "ratio"]
    assert cells[3:5] == [f"{1.9713 / 2.4360:.3f}", f"{2.7208 / 2.7756:.3f}"]  # the paper, Tables 1 and 3
    assert cells[5:] == ["0.500 [0.400, 0.600] holds §", "—", "—"]
