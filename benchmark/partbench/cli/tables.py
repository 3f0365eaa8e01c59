"""Tables on stdout."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from partbench.results.plain_text import printable

IN_A_PIPE = 200  # characters


def table_width() -> int:
    """Characters that a table may take: those of the terminal, or 200 in a pipe."""
    return Console().width if sys.stdout.isatty() else IN_A_PIPE


def print_table(title: str, rows: Sequence[dict[str, Any]], heading: int = 0) -> None:
    """Rows as a table on stdout; wide cells wrap on a terminal and stay whole in a pipe.

    With `heading`, names of columns are broken into lines of about so many characters, at underscores.
    """
    console = Console(width=None if sys.stdout.isatty() else IN_A_PIPE, highlight=False)
    table = Table(title=escape(printable(title)) or None, title_justify="left", header_style="bold")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns:
        table.add_column(escape(broken(printable(name), heading) if heading else printable(name)), overflow="fold")
    for row in rows:
        table.add_row(*(escape(printable(str(row.get(name, "")))) for name in columns))
    console.print(table)


def broken(name: str, width: int) -> str:
    """A name in lines of at most so many characters, broken at underscores and spaces where that is possible."""
    words = name.replace("_", "_ ").replace("@", " @").split(" ")
    lines = [""]
    for word in words:
        joint = "" if not lines[-1] or lines[-1].endswith("_") or word.startswith("@") else " "
        if len(lines[-1]) + len(joint) + len(word) <= width:
            lines[-1] += joint + word
        else:
            lines.append(word)
    return "\n".join(piece for line in lines for piece in textwrap.wrap(line, width, break_on_hyphens=False))
