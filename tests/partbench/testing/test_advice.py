"""Every message of the checks has advice, and every advice a message."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import partbench.testing
from partbench.testing.advice import ADVICE, advice_on

FOLDER = Path(partbench.testing.__file__).parent
RAISING = ("expect", "ContractError", "_same", "_expect_close", "_expect_shape")


def messages(file: str) -> list[str]:
    """The texts that a file raises, with "7" in the place of values."""
    found = []
    for node in ast.walk(ast.parse((FOLDER / file).read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISING:
            for text in (arg for arg in node.args if isinstance(arg, (ast.JoinedStr, ast.Constant))):
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                found.append("".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in parts))
    return [text for text in found if " " in text and not text.startswith("7:")]


@pytest.mark.parametrize("file", ["checks.py", "dataset.py", "performer.py"])
def test_every_message_of_the_checks_has_advice(file: str) -> None:
    assert len(messages(file)) > 8
    assert [text for text in messages(file) if advice_on(text) is None] == []


def test_each_advice_says_how_to_mend_and_no_pattern_is_there_twice() -> None:
    assert all(advice.mend for advice in ADVICE)
    assert len({advice.pattern for advice in ADVICE}) == len(ADVICE)
