"""Texts from results as plain text: on a terminal, in a table of comma-separated values, in a path."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence

# What a spreadsheet takes for a formula, or skips to find one.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_REPLACED = "�"


def printable(text: str) -> str:
    """A text on one line: control, format (such as bidirectional) and unassigned characters become U+FFFD.

    White space of any kind becomes a space.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if c.isspace() else c if unicodedata.category(c)[0] != "C" else _REPLACED for c in text)


def inert(text: str) -> str:
    """A text as a cell of comma-separated values: printable, and after an apostrophe if it could start a formula."""
    shown = printable(text)  # where other white space before a formula has become spaces
    could_start = any(one.lstrip(" ").startswith(FORMULA) for one in (text, shown))
    return f"'{shown}" if could_start else shown


def comma_separated(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as comma-separated values with a heading; texts are inert, None is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(inert, columns))
    writer.writerows([inert(value) if isinstance(value, str) else value for value in row] for row in rows)
    return buffer.getvalue()
