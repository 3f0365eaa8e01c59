"""Text files with a row a line, read at once; whatever is wrong names the file, the line, and what to do."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from partbench import InputError
from partbench.datasets.links import check_link

AGAIN = "copy it again"


def text_of(path: Path, encoding: str = "utf-8", base: Path | None = None) -> str:
    """The text of a file, with line ends written as LF, no byte order mark, and no line end after the last line.

    Raises InputError for a file that is missing, empty, an HTML page, not in this encoding, or a link out of `base`.
    """
    if base is not None and path.is_symlink():
        check_link(path, base)
    if not path.is_file():
        raise InputError(f"{path} is missing; copy the whole dataset")
    return decoded(path, path.read_bytes(), encoding)


def decoded(path: Path, content: bytes, encoding: str = "utf-8") -> str:
    """The text of a file's content, as `text_of` gives it."""
    if content.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise InputError(f"{path} line 1: an HTML page, which a site sent in place of the file; download it again")
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path} line {line}: byte {content[error.start]:#04x} is no {encoding.upper()} text; {AGAIN}"
        ) from error
    if not text.strip():
        raise InputError(f"{path} is empty; {AGAIN}")
    return re.sub("\r+\n|\r", "\n", text).rstrip()


def json_of(path: Path, encoding: str = "utf-8") -> Any:
    """What a JSON file holds. Raises InputError for a file that is no JSON, with the line."""
    try:
        return json.loads(text_of(path, encoding))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} line {error.lineno}, column {error.colno}: {error.msg}; {AGAIN}") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error!s:.80}); {AGAIN}") from error


@dataclass(frozen=True)
class NumberTable:
    """A file of numbers (n, c), with the names of its columns; row 0 is line 1."""

    path: Path
    columns: tuple[str, ...]
    values: Float[ndarray, "n c"]

    @classmethod
    def read(cls, path: Path, text: str, columns: Sequence[str]) -> NumberTable:
        """The numbers of a text. Raises InputError for a line of other than finite numbers, one for each column."""
        lines = text.split("\n")
        try:
            values = np.loadtxt(lines, comments=None, ndmin=2)
        except ValueError:
            values = np.zeros((0, 0))
        if values.shape != (len(lines), len(columns)) or not np.isfinite(values).all():
            values = _line_by_line(path, lines, columns)
        return cls(path, tuple(columns), values)

    def __getitem__(self, column: str) -> Float[ndarray, "n"]:
        values: Float[ndarray, "n"] = self.values[:, self.columns.index(column)]
        return values

    def whole(self, column: str, low: int, high: int) -> Int[ndarray, "n"]:
        """A column of whole numbers within these bounds. Raises InputError for another."""
        values = self[column]
        right = (values % 1 == 0) & (values >= low) & (values <= high)
        self.expect(right, column, f"a whole number from {low} to {high}")
        return values.astype(int)

    def expect(self, right: Bool[ndarray, "n"], column: str, expected: str) -> None:
        """Raise InputError for the first row that is not right."""
        if not right.all():
            row = int(np.flatnonzero(~right)[0])
            raise self.wrong(row, f"{column} is {self[column][row]:g}, expected {expected}")

    def rows_of(
        self, wanted: Int[ndarray, "m"], keys: Int[ndarray, "n"], named: Callable[[int], str], source: str
    ) -> Int[ndarray, "m"]:
        """The row of each key that is wanted, where `keys` are those of the rows and each is to be there once.

        Raises InputError for a key that is missing, there twice, or not wanted: `named` says what it stands for,
        `source` is the file that lists those wanted.
        """
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        for row in order[1:][ordered[1:] == ordered[:-1]][:1]:
            raise self.wrong(int(row), f"{named(int(keys[row]))} a second time")
        for row in np.flatnonzero(~np.isin(keys, wanted))[:1]:
            raise self.wrong(int(row), f"{named(int(keys[row]))} is not in {source}")
        for key in wanted[~np.isin(wanted, keys)][:1]:
            raise InputError(f"{self.path} has no line for {named(int(key))}, which {source} has; {AGAIN}")
        rows: Int[ndarray, "m"] = order[np.searchsorted(ordered, wanted)]
        return rows

    def wrong(self, row: int, what: str) -> InputError:
        """An InputError about the line of a row."""
        return InputError(f"{self.path} line {row + 1}: {what}; {AGAIN}")


def named_rows(path: Path, text: str) -> tuple[Int[ndarray, "n"], list[str]]:
    """Numbers and names of lines "<number> <name>". Raises InputError for another line, or a number there twice."""
    ids, names = [], []
    for i, line in enumerate(text.split("\n")):
        number, _, name = line.strip().partition(" ")
        if not (number.isascii() and number.isdecimal() and len(number) < 10 and name.strip()):
            raise InputError(f"{path} line {i + 1}: {line[:60]!r}, expected a number and a name; {AGAIN}")
        ids.append(int(number))
        names.append(name.strip())
    for kind, values in (("number", ids), ("name", names)):
        if len(set(values)) < len(values):
            first = {value: i for i, value in reversed(list(enumerate(values)))}
            again = next(i for i, value in enumerate(values) if first[value] < i)
            raise InputError(f"{path} line {again + 1}: {kind} {values[again]} a second time; {AGAIN}")
    return np.array(ids), names


def _line_by_line(path: Path, lines: Sequence[str], columns: Sequence[str]) -> Float[ndarray, "n c"]:
    """The same numbers read slowly. Raises InputError for the first line that is wrong."""
    rows = []
    for i, line in enumerate(lines):
        cells = line.split()
        if len(cells) != len(columns):
            expected = f"{len(columns)}: {', '.join(columns)}"
            raise InputError(f"{path} line {i + 1}: {len(cells)} values, expected {expected}; {AGAIN}")
        rows.append([_number(cell) for cell in cells])
        for column, cell, value in zip(columns, cells, rows[-1], strict=True):
            if not np.isfinite(value):
                raise InputError(f"{path} line {i + 1}: {column} is {cell[:40]!r}, expected a number; {AGAIN}")
    return np.array(rows)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan
