"""Exceptions in one line, whatever they are."""

from __future__ import annotations

import pytest

from partbench.errors import in_one_line


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (KeyError(), "KeyError"),
        (Mute(), "Mute"),
        (ValueError("a \ud800 b"), "ValueError: a \\ud800 b"),
    ],
)
def test_an_exception_is_one_line_that_can_be_encoded(error: Exception, text: str) -> None:
    assert in_one_line(error) == text
    in_one_line(error).encode()
