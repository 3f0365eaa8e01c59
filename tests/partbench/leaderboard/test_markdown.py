from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tabulate import tabulate

from partbench.leaderboard.markdown import amount, escape, grid, number

HOSTILE = "<script>alert(1)</script> | a\nb *x* [l](u) `c`"


def test_hostile_names_and_reasons_cannot_break_a_table() -> None:
    line = grid(["a"], [[escape(HOSTILE)]]).splitlines()[-1]
    assert "<" not in line
    assert line.replace(r"\|", "").count("|") == 2
    assert r"\*x\* \[l\](u) \`c\`" in line
    assert escape("random_maps __init__") == r"random_maps \_\_init\_\_"


@given(st.text(max_size=30))
@settings(max_examples=50, deadline=None)
def test_any_escaped_text_is_one_cell_of_one_line(text: str) -> None:
    escaped = escape(text)
    assert len(escaped.splitlines()) <= 1
    assert "<" not in escaped
    unescaped = escaped.replace("\\\\", "")  # a backslash that is itself escaped protects nothing
    assert unescaped.count("|") == unescaped.count("\\|")


def test_no_link_and_no_character_that_is_not_printed_is_left() -> None:
    assert escape("see HTTP://u.org or www.v.org") == "see HTTP&#58;//u.org or www&#46;v.org"
    assert escape("a\u202eb\x1b[2J") == "a�b�\\[2J"


def test_a_number_that_rounds_to_zero_has_no_sign() -> None:
    assert [number(value) for value in (-0.0004, -0.0, 0.0, -0.0005001)] == ["0.000", "0.000", "0.000", "-0.001"]


def test_numbers_have_three_decimals_or_four_digits() -> None:
    assert [number(value) for value in (0.12345, 9.8765, -32.684, 147.404, None)] == [
        "0.123", "9.877", "-32.68", "147.4", "—",
    ]  # fmt: skip


def test_small_amounts_have_two_digits() -> None:
    assert [amount(value) for value in (0.00123, 1.26, 12.6, 2540.4, None)] == ["0.0012", "1.3", "13", "2540", "—"]


def test_a_grid_is_that_of_tabulate() -> None:
    rows = [["a", "", "\u2014"], [" long cell ", "1", "*x*"]]
    columns = ["name", "a longer heading", "x"]
    expected = tabulate(rows, headers=columns, tablefmt="pipe", disable_numparse=True, colglobalalign="left")
    assert grid(columns, rows) == expected
