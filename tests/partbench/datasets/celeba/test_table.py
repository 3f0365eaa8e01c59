"""Tables of names and whole numbers are read at once as they are line by line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from partbench import InputError
from partbench.datasets.celeba.table import Table

SAMPLE = Path(__file__).resolve().parents[5] / "shared" / "data" / "celeba-text"
BOUNDS = (-999, 999, "a whole number")
cell = st.sampled_from(
    ["1", "-1", "12", "+1", "1_0", "007", "-", "", "x.jpg", "\xa0", "\x85", "\x0b", "\t", "\r", "9" * 12]
)
rows_of_cells = st.lists(st.lists(cell, max_size=4), max_size=5)


@settings(max_examples=80, deadline=None)
@given(rows_of_cells, st.sampled_from([" ", ","]))
@example([["1", "-1", "12"], ["x.jpg", "7"], ["1", "2", "3", "4"]], " ")
@example([["1", "", "12"], ["x.jpg", "7", "8"]], ",")
def test_reading_at_once_is_reading_line_by_line(cells: list[list[str]], between: str) -> None:
    """Whatever is accepted says what the file said; whatever is not ends in one line naming the file."""
    body = "\n".join(map(between.join, cells))
    table = Table(Path("file"), body, ("a", "b"), 1, "," if between == "," else "")
    fast, slow, refused = table._at_once(), None, ""
    try:
        slow = table._line_by_line(-(10**9), 10**9, "a whole number")
    except InputError as error:
        refused = str(error)
    if fast is None:
        assert re.match(r"file line \d+: .*; copy it again$", refused) if refused else slow is not None
    else:
        assert slow is not None
        assert (fast[0], fast[1].tolist()) == (slow[0], slow[1].tolist())


@settings(max_examples=60, deadline=None)
@given(rows_of_cells)
def test_any_text_is_read_or_refused_with_its_place(cells: list[list[str]]) -> None:
    text, refused = "\n".join(map(" ".join, cells)), ""
    try:
        names, rows = Table.counted(Path("file"), text.encode(), ["a", "b"]).rows(*BOUNDS)
    except InputError as error:
        refused = str(error)
    if refused:
        assert re.match(r"file (line \d+: |is empty)[^\n]*$", refused)
    else:
        assert int(text.split("\n")[0]) == len(names) == len(rows)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 999), st.integers(-9, 999)), min_size=1), st.sampled_from(["\n", "\r\n"]))
def test_a_table_is_read_back(rows: list[tuple[int, int]], end: str) -> None:
    text = end.join([str(len(rows)), "b a", *(f"{i}.jpg  {x}   {y}" for i, (x, y) in enumerate(rows)), "", ""])
    table = Table.counted(Path("file"), text.encode(), ["a", "b"])
    names, found = table.rows(*BOUNDS)
    assert names == [f"{i}.jpg" for i in range(len(rows))]
    assert found.tolist() == [list(row) for row in rows]
    assert table.ordered(np.array(found), ["a", "b"]).tolist() == [[y, x] for x, y in rows]


@pytest.mark.parametrize(("old", "new", "message"), [
    ("7.jpg 1 -1", "7.jpg 1 -1 1", "line 10: 3 values, expected 2 after the photo's name"),
    ("7.jpg 1 -1", "7.jpg 1 one", "line 10: b is 'one', expected 1 or -1"),
    ("7.jpg 1 -1", "7.jpg 2 -1", "line 10: a is '2', expected 1 or -1"),
    ("7.jpg 1 -1", "7.jpg 1", "line 10: 1 values, expected 2"),
    ("7.jpg 1 -1", "7.jpg 1 \xff", "line 10: byte 0xff is no UTF-8 text"),
])  # fmt: skip
def test_the_first_wrong_line_of_a_large_file_is_named(old: str, new: str, message: str) -> None:
    text = "\n".join(["5000", "a b", *(f"{i}.jpg 1 -1" for i in range(5000))]).replace(old, new, 1)
    with pytest.raises(InputError, match=re.escape(f"file {message}")):
        Table.counted(Path("file"), text.encode("latin-1"), ["a", "b"]).rows(-1, 1, "1 or -1")


def test_the_official_files_are_read_at_once() -> None:
    if not SAMPLE.is_dir():
        pytest.skip("no text files of CelebA beside the repository")
    content = (SAMPLE / "list_attr_celeba.head.txt").read_bytes()
    _, header, *lines = content.decode().splitlines()
    assert content.count(b"\r\n") == len(lines) + 2
    text = "\r\n".join([str(len(lines)), header, *lines, ""])
    names, signs = Table.counted(Path("file"), text.encode(), header.split())._at_once() or ([], np.zeros(0))
    assert names == [line.split()[0] for line in lines]
    assert signs.tolist() == [[int(sign) for sign in line.split()[1:]] for line in lines]
    with pytest.raises(InputError, match="line 1: '202599' photos, but 10 rows follow"):
        Table.counted(Path("file"), content, header.split())
