"""Tables of numbers are read at once, and whatever is wrong names the line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from partbench import InputError
from partbench.datasets.text_table import NumberTable, named_rows, text_of

COLUMNS = ("a", "b")
cell = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["1", "-2.5", "1e3", "", "\r", "nan", "1_0"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(cell, max_size=3), min_size=1, max_size=5)
    .map(lambda rows: "\n".join(map(" ".join, rows)))
    .filter(str.strip)
)
@example("1 2\r3 4")
@example("1 2\n\n3 4")
@example("1 # 2")
def test_any_text_is_read_as_python_reads_it_or_refused_with_its_line(text: str) -> None:
    refused = ""
    try:
        table = NumberTable.read(Path("file"), text, COLUMNS)
    except InputError as error:
        refused = str(error)
    if refused:
        assert re.match(r"file line \d+: .*; copy it again$", refused)
        cells = text.split("\n")[int(refused.split()[2].rstrip(":")) - 1].split()
        assert len(cells) != 2 or not all(map(is_number, cells))
        return
    assert table.values.tolist() == [[float(value) for value in line.split()] for line in text.split("\n")]


def is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(7)), st.integers(0, 6), st.sampled_from(["", "gap", "twice", "stranger"]))
def test_rows_are_found_by_their_keys_and_each_key_is_there_once(keys: list[int], place: int, damage: str) -> None:
    given = {"gap": keys[:place] + keys[place + 1 :], "twice": [*keys, keys[place]], "stranger": [*keys, 9]}
    lines = given.get(damage, keys)
    table = NumberTable(Path("file"), ("image",), np.array(lines, float)[:, None])
    find = lambda: table.rows_of(np.arange(7), table.whole("image", 0, 9), "image {}".format, "images.txt")  # noqa: E731
    if not damage:
        assert [lines[row] for row in find()] == list(range(7))
        return
    with pytest.raises(InputError) as caught:
        find()
    assert (
        str(caught.value)
        == {
            "gap": f"file has no line for image {keys[place]}, which images.txt has; copy it again",
            "twice": f"file line 8: image {keys[place]} a second time; copy it again",
            "stranger": "file line 8: image 9 is not in images.txt; copy it again",
        }[damage]
    )


def test_names_may_hold_spaces_and_follow_a_number(tmp_path: Path) -> None:
    numbers, names = named_rows(tmp_path, "7 left eye\n12  beak ")
    assert (numbers.tolist(), names) == ([7, 12], ["left eye", "beak"])
    for text in ("7", "x beak", "7.5 beak", "² beak", "1 a\n1 b", "1 a\n2 a"):
        with pytest.raises(InputError, match=rf"line {1 + text.count(chr(10))}: "):
            named_rows(tmp_path, text)


def test_a_mark_of_byte_order_and_ends_of_lines_of_other_systems_are_read_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbf1 2\r\n3 4\r\n\r\n")
    assert text_of(tmp_path / "file") == "1 2\n3 4"
    (tmp_path / "file").write_bytes(b"\n \n")
    with pytest.raises(InputError, match="file is empty"):
        text_of(tmp_path / "file")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_all_line_ends_are_read_as_one(end: str, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(end.join(["a", "b", "", "c", ""]).encode())
    assert text_of(path) == "a\nb\n\nc"
