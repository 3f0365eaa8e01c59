"""Tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from partbench.results.plain_text import printable


def print_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Rows as a table on stdout; wide cells wrap on a terminal and stay whole in a pipe."""
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    table = Table(title=escape(printable(title)) or None, title_justify="left", header_style="bold")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns:
        table.add_column(escape(printable(name)), overflow="fold")
    for row in rows:
        table.add_row(*(escape(printable(str(row.get(name, "")))) for name in columns))
    console.print(table)
