"""Progress of a command that computes in its own process, to stderr."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Reporter:
    """Shows on a terminal how far the steps of a command are."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        console = Console(stderr=True, highlight=False)
        self._progress = Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Reporter:
        self._progress.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far a step is; a step that is done disappears."""
        if what not in self._bars:
            self._bars[what] = self._progress.add_task(escape(what), total=total)
        self._progress.update(self._bars[what], completed=done, total=total)
        if done >= total:
            self._progress.remove_task(self._bars.pop(what))
