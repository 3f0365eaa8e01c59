"""The page of reproductions is what its script makes of the committed results."""

from __future__ import annotations

import importlib.util
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def test_the_page_is_what_the_script_makes_of_the_results() -> None:
    spec = importlib.util.spec_from_file_location("reproduction", REPOSITORY / "scripts" / "reproduction.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = script.page(script.Results(REPOSITORY / "results"))
    assert (REPOSITORY / "docs" / "reproduction.md").read_text() == made
