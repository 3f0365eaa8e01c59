"""Output while cells run and afterwards: progress and one line per cell to stderr, tables to stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from partbench.cli.tables import print_table
from partbench.declaration import in_one_line
from partbench.results.schema import AGGREGATE
from partbench.results.store import read_cell

if TYPE_CHECKING:
    from partbench.running.jobs import Outcome

MINUTE = 60.0


class Reporter:
    """Shows progress on a terminal, one line per finished cell anywhere, and the scores at the end."""

    def __init__(self, cells: int, quiet: bool) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._progress = Progress(
            *columns, console=self.console, transient=True, disable=quiet or not sys.stderr.isatty()
        )
        self._bars: dict[str, TaskID] = {}
        self._cells = self._progress.add_task("cells", total=cells, visible=cells > 1)
        self._total, self._done = cells, 0

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

    def cell(self, outcome: Outcome) -> None:
        """One line for a finished cell."""
        self._done += 1
        self._progress.update(self._cells, completed=self._done)
        name = f"{outcome.cell.explainer} on {outcome.cell.task}, seed {outcome.cell.seed}"
        self.console.print(escape(f"[{self._done}/{self._total}] {name}: {verdict(outcome)}"), soft_wrap=True)

    def drawn(self, picture: Path) -> None:
        """Note where a picture went."""
        self.console.print(escape(f"      picture {picture}"), soft_wrap=True, style="dim")

    def not_drawn(self, error: Exception) -> None:
        """Note that what an explainer shows could not be drawn, and why; its scores stand."""
        self.console.print(escape(f"      no pictures, {in_one_line(error)}"), soft_wrap=True)

    def summary(
        self, outcomes: Sequence[Outcome], metrics: Sequence[str], pages: Sequence[Path], as_json: bool
    ) -> None:
        """The scores of all cells: a mean over tasks and seeds to look at, or every aggregate row as JSON.

        The table leaves out further readings (`metric@reading`) unless metrics were asked for.
        """
        frame = pd.concat([read_cell(outcome.path) for outcome in outcomes], ignore_index=True)
        if metrics:
            frame = frame[frame["metric"].isin(metrics) | frame["metric"].str.partition("@")[0].isin(metrics)]
        if as_json:
            print(frame.drop(columns=["run_id"]).to_json(orient="records", date_format="iso", indent=1))
            return
        rows = score_rows(frame)
        shown = [row for row in rows if metrics or "@" not in row["metric"]]
        print_table(f"scores over {counted(frame['task'], 'task')}, {counted(frame['seed'], 'seed')}", shown)
        for reason, skipped in reasons_of_skips(frame).items():
            if listed := [name for name in skipped if metrics or "@" not in name]:
                self.console.print(escape(f"skipped: {', '.join(listed)} ({reason})"), soft_wrap=True, style="dim")
        for line in remarks(frame):
            self.console.print(escape(line), soft_wrap=True)
        found = set(frame["metric"].str.partition("@")[0]) if len(frame) else set()
        for absent in (name for name in metrics if name.partition("@")[0] not in found):
            note = f"{absent}: not among the metrics of cells finished before; --overwrite scores them again"
            self.console.print(note, soft_wrap=True)
        if further := len(rows) - len(shown):
            where = f"{further} further readings of these metrics: on the leaderboard, or --metric NAME"
            self.console.print(where, soft_wrap=True, style="dim")
        for page in pages:
            self.console.print(f"leaderboard {page}", soft_wrap=True, style="dim")


def verdict(outcome: Outcome) -> str:
    """How a cell ended, in a few words."""
    run = outcome.run
    if run is None:
        return f"finished before ({outcome.path}; --overwrite does it again)"
    if run.failed:
        return f"FAILED, {run.failed}"
    if run.skipped:
        return f"skipped, {run.skipped}"
    rows = [row for row in run.rows if row["unit"] == AGGREGATE]
    failed = [f"{row['metric']} ({row['reason']})" for row in rows if row["status"] == "failed"]
    scoring = {row["metric"].partition("@")[0]: row["score_seconds"] for row in rows}
    seconds = rows[0]["fit_seconds"] + rows[0]["explain_seconds"] + sum(scoring.values())
    text = f"done in {seconds:.0f} s" if seconds < MINUTE else f"done in {seconds / MINUTE:.1f} min"
    return f"{text}, FAILED: {', '.join(failed)}" if failed else text


def counted(values: pd.Series, noun: str) -> str:
    """The number of different values with their noun, as in "1 task" and "2 tasks"."""
    count = values.nunique()
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def reasons_of_skips(frame: pd.DataFrame) -> dict[str, list[str]]:
    """Why metrics were skipped: the reasons in alphabetical order, and the metrics of each."""
    skipped = frame[(frame["unit"] == AGGREGATE) & (frame["status"] == "skipped")].astype(
        {"metric": str, "reason": str}
    )
    return {str(reason): sorted(set(block["metric"])) for reason, block in skipped.groupby("reason", sort=True)}


def remarks(frame: pd.DataFrame) -> list[str]:
    """What explainers say of numbers that they report of themselves, and in how many cells."""
    reported = frame[(frame["unit"] == AGGREGATE) & frame["higher_is_better"].isna() & (frame["status"] == "ok")]
    remarked = reported[reported["reason"].astype(str) != ""].astype({"explainer": str, "metric": str, "reason": str})
    blocks = remarked.groupby(["explainer", "metric", "reason"], sort=True)
    return [f"{who}: {reason} ({name}, {counted(of['cell'], 'cell')})" for (who, name, reason), of in blocks]


def score_rows(frame: pd.DataFrame) -> list[dict[str, str]]:
    """One row per metric, one column per explainer; the mean of the cells that have a value, and how many do.

    What explainers report of themselves, which has no direction, comes last.
    """
    shown = frame[frame["unit"] == AGGREGATE].astype({"metric": str, "explainer": str, "variant": str})
    names = (shown["explainer"] + shown["variant"].map(lambda v: f" ({v})" if v else "")).rename("who")
    rows = []
    blocks = sorted(shown.groupby("metric"), key=lambda one: (one[1]["higher_is_better"].isna().all(), one[0]))
    for metric, block in blocks:
        arrow = {True: " ↑", False: " ↓"}.get(block["higher_is_better"].iloc[0], "")
        row = {"metric": f"{metric}{arrow}"}
        for who, cells in block.groupby(names.loc[block.index], sort=False):
            row[str(who)] = _score(cells)
        rows.append(row)
    return rows


def _score(cells: pd.DataFrame) -> str:
    values = cells["value"].dropna()
    if not len(values):
        return str(cells["status"].iloc[0])
    note = "" if len(values) == len(cells) else f" ({len(values)} of {len(cells)})"
    return f"{values.mean():.3f}{note}"
