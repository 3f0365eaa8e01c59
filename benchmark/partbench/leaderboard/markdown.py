"""Pieces of GitHub Markdown: escaped text, tables, and numbers as pages show them."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Sequence

import pandas as pd

from partbench.results.plain_text import printable

HEADER = "<!-- Generated from the results by `bench leaderboard`; do not edit. -->"
ABSENT = "—"
_LINK = re.compile(r"(?:https?|ftp)://|www\.", re.IGNORECASE)  # GitHub makes links of them


def escape(text: object) -> str:
    """Text that Markdown shows as it is, on one line and inside a table.

    No markup, no HTML, no link, no column separator, and no character that is not printed.
    """
    return _escaped(str(text))


@functools.lru_cache(65536)  # pages repeat the names of explainers and metrics in every table
def _escaped(text: str) -> str:
    line = " ".join(printable(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _LINK.sub(lambda found: found[0].replace(":", "&#58;").replace(".", "&#46;"), line)
    line = re.sub(r"([\\`*\[\]|~$])", r"\\\1", line)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)  # within a word an underscore is no markup


def narrow(name: str) -> str:
    """An escaped name that may be broken after its underscores, for headings of columns."""
    return name.replace("_", "_<wbr>")


def grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A GitHub table of cells that are already escaped; its columns are aligned in the source too."""
    lines = [[*map(str.strip, row)] for row in rows]
    widths = [max([len(name) + 2, *map(len, cells)]) for name, *cells in zip(columns, *lines, strict=True)]
    texts = [" | ".join(map(str.ljust, line, widths)) for line in (columns, *lines)]
    rule = "|".join(f":{'-' * (width + 1)}" for width in widths)
    return "\n".join([f"| {texts[0]} |", f"|{rule}|", *(f"| {text} |" for text in texts[1:])])


def number(value: float | None) -> str:
    """Three decimals, or four digits of what is large; a number that rounds to 0 has no sign."""
    if value is None or math.isnan(value):
        return ABSENT
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}" if abs(value) < 100 else f"{value:.4g}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def amount(value: float | None) -> str:
    """Seconds or MB: two digits of what is small."""
    if value is None or pd.isna(value):
        return ABSENT
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def bounds(low: float | None, high: float | None) -> str:
    """An interval: `0.1 to 0.2`."""
    return ABSENT if low is None or pd.isna(low) else f"{number(low)} to {number(high)}"


def bounded(value: float, low: float, high: float) -> str:
    """A number with its interval, if there is one: `0.15 (0.1 to 0.2)`."""
    return number(value) if pd.isna(low) else f"{number(value)} ({bounds(low, high)})"
