"""Exceptions and the user's mistakes, in one line, whatever they are."""

from __future__ import annotations

import pickle

import pytest

from partbench.errors import LONGEST, InputError, in_one_line, reason_of, unknown


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


def test_the_reason_is_the_text_of_a_users_mistake_and_names_the_kind_of_any_other_exception() -> None:
    assert reason_of(InputError("no file a; name another")) == "no file a; name another"
    assert reason_of(OSError("no file a")) == "OSError: no file a"


def test_a_message_that_quotes_lines_is_one_line() -> None:
    assert str(InputError("no file 'a\nb'; name another")) == "no file 'a b'; name another"


def test_a_message_that_quotes_a_very_long_name_keeps_its_beginning_and_its_end() -> None:
    text = str(unknown("task", "x" * 100_000, ["fauna/bird"]))
    assert len(text) == LONGEST
    assert text.startswith("no task named 'xxx")
    assert text.endswith("known: fauna/bird")


def test_an_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(InputError("no file 'a'; name another")))
    assert (type(error), str(error)) == (InputError, "no file 'a'; name another")
