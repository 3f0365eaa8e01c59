"""Text files of one row a photo: its name, then whole numbers; whatever is wrong names the file and the line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8
from numpy import ndarray

from partbench import InputError
from partbench.datasets.text_table import AGAIN, decoded

COMMA = ","
MINUS, ZERO, NINE, NEW_LINE, TAB, SPACE, LAST = (*b"-09\n\t ", 126)  # LAST: of printable ASCII
MOST_DIGITS = 9
NUMBER = re.compile(rf"-?[0-9]{{1,{MOST_DIGITS}}}")


@dataclass(frozen=True)
class Table:
    """Rows as text, with the names of their columns; `first` is the line of the first row, counted from 1.

    `separator` is "," or, for blanks, "".
    """

    path: Path
    body: str
    columns: tuple[str, ...]
    first: int
    separator: str = ""

    @classmethod
    def counted(cls, path: Path, content: bytes, columns: Sequence[str]) -> Table:
        """A file whose line 1 is the number of rows and line 2 the names of its columns, in any order."""
        count, _, rest = decoded(path, content).partition("\n")
        header, _, body = rest.partition("\n")
        names = _checked_names(path, 2, header.split(), columns)
        rows = body.count("\n") + 1 if body else 0
        if count.strip() != str(rows):
            raise InputError(f"{path} line 1: {count.strip()!r:.60} photos, but {rows} rows follow; {AGAIN}")
        return cls(path, body, names, 3)

    @classmethod
    def bare(cls, path: Path, content: bytes, columns: Sequence[str]) -> Table:
        """A file without count and names."""
        return cls(path, decoded(path, content), tuple(columns), 1)

    @classmethod
    def with_commas(cls, path: Path, content: bytes, columns: Sequence[str]) -> Table:
        """A file of values with commas between, whose line 1 names its columns; that of the photo is the first."""
        header, _, body = decoded(path, content).partition("\n")
        _, *names = (name.strip() for name in header.split(COMMA))
        return cls(path, body, _checked_names(path, 1, names, columns), 2, COMMA)

    def rows(self, low: int, high: int, expected: str) -> tuple[list[str], Int[ndarray, "n c"]]:
        """The photos' names, and the numbers of each, from `low` to `high`; `expected` says in words what they are."""
        found = self._at_once()
        if found is None or not ((found[1] >= low) & (found[1] <= high)).all():
            found = self._line_by_line(low, high, expected)
        return found

    def ordered(self, values: ndarray, columns: Sequence[str]) -> ndarray:
        """Values (n, a) of the rows with their columns in this order."""
        return values.reshape(-1, len(columns))[:, [self.columns.index(name) for name in columns]]

    def wrong(self, row: int, what: str) -> InputError:
        """An InputError about the line of a row."""
        return InputError(f"{self.path} line {self.first + row}: {what}; {AGAIN}")

    def _at_once(self) -> tuple[list[str], Int[ndarray, "n c"]] | None:
        """All rows, if they are regular; None says no more than that they have to be looked at line by line."""
        content = self.body.encode()
        text = np.frombuffer(content, np.uint8)
        breaks, width = np.flatnonzero(text == NEW_LINE), len(self.columns) + 1
        between = text == ord(COMMA) if self.separator else (text == SPACE) | (text == TAB)
        strange = (text > LAST) | ((text <= SPACE) & (text != NEW_LINE) & ~between)
        starts, ends = _cells(~between & (text != NEW_LINE))
        if strange.any() or starts.size != (len(breaks) + 1) * width:
            return None
        starts, ends = starts.reshape(-1, width), ends.reshape(-1, width)
        if (starts[1:, 0] < breaks).any() or (ends[:-1, -1] > breaks).any():
            return None
        values = _numbers(text, starts[:, 1:], ends[:, 1:])
        if values is None:
            return None
        spans = zip(starts[:, 0].tolist(), ends[:, 0].tolist(), strict=True)
        return [self.body[start:end] for start, end in spans], values

    def _line_by_line(self, low: int, high: int, expected: str) -> tuple[list[str], Int[ndarray, "n c"]]:
        """The same rows read slowly. Raises InputError for the first line that is wrong."""
        names, rows = [], []
        for i, line in enumerate(self.body.split("\n")):
            name, *cells = [cell.strip() for cell in line.split(self.separator or None)] or [""]
            if len(cells) != len(self.columns):
                raise self.wrong(i, f"{len(cells)} values, expected {len(self.columns)} after the photo's name")
            for column, cell in zip(self.columns, cells, strict=True):
                if not NUMBER.fullmatch(cell) or not low <= int(cell) <= high:
                    raise self.wrong(i, f"{column} is {cell[:40]!r}, expected {expected}")
            names.append(name)
            rows.append([int(cell) for cell in cells])
        return names, np.array(rows, np.int32)


def _checked_names(path: Path, line: int, names: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns of a file, if they are these in any order."""
    if missing := [name for name in columns if name not in names]:
        raise InputError(f"{path} line {line}: no column {missing[0]}, expected {len(columns)} names; {AGAIN}")
    if len(names) != len(columns):
        raise InputError(f"{path} line {line}: {len(names)} columns, expected {len(columns)}; {AGAIN}")
    return tuple(names)


def _cells(filled: Bool[ndarray, "n"]) -> tuple[Int[ndarray, "m"], Int[ndarray, "m"]]:
    """Where the runs of characters start, and where they have ended."""
    changes = np.flatnonzero(np.diff(filled, prepend=False, append=False)).astype(np.int32)
    return changes[::2], changes[1::2]


def _numbers(
    text: UInt8[ndarray, "n"], starts: Int[ndarray, "r c"], ends: Int[ndarray, "r c"]
) -> Int[ndarray, "r c"] | None:
    """The whole numbers of these cells; None if one is no number of up to nine digits."""
    negative = text[starts] == MINUS
    digits = ends - starts - negative
    most = int(digits.max(initial=0))
    if digits.min(initial=1) < 1 or most > MOST_DIGITS:
        return None
    values = np.zeros(starts.shape, np.int32)
    for place in range(most):
        places = ends - most + place  # all cells end at the same step
        inside = digits >= most - place
        characters = np.where(inside, text[np.maximum(places, 0)], ZERO)
        if ((characters < ZERO) | (characters > NINE)).any():
            return None
        values = values * 10 + (characters - ZERO)
    return np.where(negative, -values, values)
