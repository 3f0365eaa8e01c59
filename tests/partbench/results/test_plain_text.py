from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partbench.results.plain_text import comma_separated, inert, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ↓ äß 漢字", "plain ↓ äß 漢字"),
        ("\x1b[2Jred", "�[2Jred"),
        ("a\u202egnp.exe", "a�gnp.exe"),
        ("two\nlines\tand\u2028more", "two lines and more"),
        ("\u200bhidden\ufeff\x00\x9b", "�hidden���"),
    ],
)
def test_no_control_or_bidirectional_character_is_left(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "  +", "\x0c=", " \n-", "\u2028+"])
def test_a_text_that_could_start_a_formula_starts_with_an_apostrophe(start: str) -> None:
    assert inert(f"{start}cmd|' /C calc'!A0").startswith("'")


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False)), max_size=5))
def test_tables_of_comma_separated_values_hold_inert_texts_and_numbers_as_they_are(rows: list) -> None:
    read = list(csv.reader(io.StringIO(comma_separated(["name", "value"], rows))))
    assert read[0] == ["name", "value"]
    assert [[text, float(value)] for text, value in read[1:]] == [[inert(text), value] for text, value in rows]
    assert not any(text.lstrip().startswith(("=", "+", "-", "@")) for text, _ in read)


def test_nothing_is_an_empty_cell() -> None:
    assert comma_separated(["=a"], [[None], [-1.5]]) == '\'=a\n""\n-1.5\n'
