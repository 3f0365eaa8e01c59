"""The page of reproductions is what its script makes of the committed results."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def test_the_page_is_what_the_script_makes_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import reproduction

    made = reproduction.page(reproduction.Results(REPOSITORY / "results"))
    assert (REPOSITORY / "docs" / "reproduction.md").read_text() == made
