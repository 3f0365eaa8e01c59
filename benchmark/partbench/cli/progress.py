"""What is printed while cells run: on a terminal a live display of the workers, elsewhere a plain line per event."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from partbench.results.plain_text import printable
from partbench.running.cell_job import CellOutcome

MINUTE, HOUR = 60.0, 3600.0
EVERY = 0.2  # seconds between two drawings of the live display
PREPARING = "preparing"  # how the labels of steps that are no cells begin


class Display:
    """Listens to the workers of a run. A context: the live display is gone when it is left.

    `--json` makes it `quiet`. Nothing here runs in a thread: the engine calls `tick` several times a second.
    """

    def __init__(self, quiet: bool) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self._live = not quiet and sys.stderr.isatty()
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._bars = Progress(
            *columns, console=self.console, transient=True, disable=not self._live, auto_refresh=False
        )
        self._cells: TaskID | None = None
        self._workers: dict[int, tuple[TaskID, str]] = {}
        self._total, self._done, self._computed = 0, 0, 0
        self._started, self._drawn = time.monotonic(), 0.0

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def line(self, text: str, style: str | None = None) -> None:
        """A line of text."""
        self.console.print(escape(printable(text)), soft_wrap=True, style=style)

    def total(self, cells: int, workers: int) -> None:
        """How many cells there are, and how many workers, before the first of them is run."""
        self._total, self._started = cells, time.monotonic()
        self._cells = self._bars.add_task("cells", total=cells)
        if workers > 1:
            self.line(f"{cells} cells, {workers} workers")

    def began(self, worker: int, label: str) -> None:
        """A worker began a step."""
        self._workers[worker] = self._bars.add_task(escape(label), total=None), label
        if label.startswith(PREPARING) and not self._live:
            self.line(label)

    def progress(self, worker: int, what: str, done: int, total: int) -> None:
        """A worker is so far with a part of its step."""
        if worker in self._workers:
            bar, label = self._workers[worker]
            self._bars.update(bar, description=escape(f"{label}: {what}"), completed=done, total=total)

    def ended(self, worker: int) -> None:
        """A worker ended its step."""
        if worker in self._workers:
            self._bars.remove_task(self._workers.pop(worker)[0])

    def tick(self) -> None:
        """Draw what has changed."""
        if self._live and time.monotonic() - self._drawn >= EVERY:
            self._drawn = time.monotonic()
            self._bars.refresh()

    def cell(self, outcome: CellOutcome) -> None:
        """A line for a cell that has ended, and lines for its pictures and remarks."""
        self._done += 1
        self._computed += outcome.status != "finished before"
        if self._cells is not None:
            self._bars.update(self._cells, completed=self._done, description=f"cells{self._left()}")
        self.line(f"[{self._done}/{self._total}] {outcome.job.label}: {verdict(outcome)}")
        for picture in outcome.pictures:
            self.line(f"      picture {near(picture)}", style="dim")
        for note in outcome.notes:
            self.line(f"      {note}")

    def pages(self, pages: Sequence[Path]) -> None:
        """Where the leaderboards are."""
        for page in pages:
            self.line(f"leaderboard {page}", style="dim")

    def _left(self) -> str:
        """The time that the other cells will take if they take as long as those so far."""
        remaining = self._total - self._done
        if not self._computed or not remaining:
            return ""
        return f", {duration((time.monotonic() - self._started) / self._computed * remaining)} left"


def duration(seconds: float) -> str:
    """As in "3 s", "2.5 min", "1.2 h"."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.1f} min" if seconds < HOUR else f"{seconds / HOUR:.1f} h"


def near(path: str) -> str:
    """A path as seen from the working directory, where it lies in there."""
    return str(Path(path).relative_to(Path.cwd())) if Path(path).is_relative_to(Path.cwd()) else path


def verdict(outcome: CellOutcome) -> str:
    """How a cell ended, in a few words."""
    if outcome.status == "finished before":
        return f"finished before ({near(str(outcome.path))}; --overwrite does it again)"
    if outcome.status == "failed":
        return f"FAILED, {outcome.reason}"
    if outcome.status == "skipped":
        return f"skipped, {outcome.reason}"
    failed = [f"{metric} ({reason})" for metric, reason in outcome.failed_metrics.items()]
    text = f"done in {duration(outcome.seconds)}"
    return f"{text}, FAILED: {', '.join(failed)}" if failed else text
