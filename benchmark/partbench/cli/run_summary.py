"""What `bench run` prints at its end: tables, reasons and remarks; and what a dry run prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd

    from partbench.cli.progress import Display
    from partbench.running.cell_job import CellOutcome
    from partbench.running.engine import Plan


def print_summary(
    display: Display, outcomes: Sequence[CellOutcome], metrics: Sequence[str], as_json: bool, pages: bool = True
) -> None:
    """The explainers beside floors and published ones, or where that is not possible their scores; or JSON.

    Scores are means over tasks and seeds. They are printed too if metrics were asked for, or more explainers are run
    than have tables beside others. Tables leave out further readings (`metric@reading`) unless metrics were asked for.
    JSON holds every aggregate row. `pages` says whether the pages of the leaderboards are written now.
    """
    import pandas as pd

    from partbench.cli.scores import counted, print_scores, reasons, remarks, score_rows
    from partbench.results.store import read_cell

    frames = [read_cell(Path(outcome.path)) for outcome in outcomes if outcome.path]
    if not frames:
        if as_json:
            print("[]")
        for line in _lost(outcomes):
            display.line(line)
        return
    frame = pd.concat(frames, ignore_index=True)
    names, has_value = frame["metric"].astype(str), frame["status"] == "ok"
    if metrics:
        frame = frame[names.isin(metrics) | names.str.partition("@")[0].isin(metrics)]
    if as_json:
        print(frame.drop(columns=["run_id"]).to_json(orient="records", date_format="iso", indent=1))
        return
    shown = frame if metrics else frame[~names.str.contains("@")]
    over = f"{counted(frame['task'], 'task')}, {counted(frame['seed'], 'seed')}"
    if not print_closing_tables(display, shown, outcomes) or metrics:
        print_scores(f"scores over {over}", score_rows(shown))
    for line in reasons(shown, "skipped"):
        display.line(line, style="dim")
    for line in (*reasons(shown, "failed"), *_lost(outcomes), *remarks(frame)):
        display.line(line)
    found = set(names.str.partition("@")[0])
    for absent in (name for name in metrics if name.partition("@")[0] not in found):
        display.line(f"{absent}: cells that were finished before lack it; `bench score --metric {absent}` adds it")
    if stored := names[has_value].nunique():
        printed = frame.loc[frame["status"] == "ok", "metric"].nunique()
        told = f"printed: {printed} of {stored} metrics and their readings; all are stored"
        where = "on the leaderboard" if pages else "`bench leaderboard` writes them to pages"
        everywhere = f"all {stored} metrics and their readings: {where}, or --metric NAME"
        display.line(told if metrics else everywhere, style="dim")


def print_closing_tables(display: Display, frame: pd.DataFrame, outcomes: Sequence[CellOutcome]) -> bool:
    """Whether tables were printed that compare the explainers; what goes wrong is told in a line and loses nothing."""
    try:
        from partbench.cli.closing import closing, print_closing
        from partbench.cli.tables import table_width

        paths = [Path(outcome.path) for outcome in outcomes if outcome.path]
        return print_closing(closing(frame[frame["status"] == "ok"], paths), table_width())
    except Exception as error:
        reason = str(error).partition("\n")[0]
        display.line(f"warning: not compared with published results: {type(error).__name__}: {reason:.200}")
        return False


def _lost(outcomes: Sequence[CellOutcome]) -> list[str]:
    """Cells that could not be written, by the reason."""
    lost: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.path is None:
            lost.setdefault(outcome.reason, []).append(outcome.job.label)
    return [
        f"failed: {cells[0]}{f' and {len(cells) - 1} more' if len(cells) > 1 else ''}, not written ({reason})"
        for reason, cells in lost.items()
    ]


def print_dry_run(plan: Plan, results: Path, workers: int, as_json: bool) -> None:
    """The cells of a plan by explainer and dataset, and what they will take; or every cell as JSON."""
    from partbench.cli.progress import duration
    from partbench.cli.tables import print_table
    from partbench.running.expectation import disk_lines, expected, wall_seconds

    if as_json:
        cells = [{**planned.cell.columns, "path": planned.path, "finished": planned.finished} for planned in plan.cells]
        print(json.dumps(cells, indent=1))
        return
    found = expected(plan, results)
    rows = [
        {
            "explainer": one.explainer, "dataset": one.dataset, "cells": one.cells, "to do": one.waiting,
            "of one": "unknown" if one.seconds is None else duration(one.seconds),
            "disk": "unknown" if one.size is None else f"{one.size * one.waiting / 2**20:.2f} MB",
        }
        for one in found
    ]  # fmt: skip
    seconds = wall_seconds(found, workers)
    known = "unknown until each explainer has a cell" if seconds is None else f"about {duration(seconds)}"
    waiting = sum(one.waiting for one in found)
    click.echo(f"cells: {len(plan.cells)}, to do: {waiting}, workers: {workers}, time: {known}")
    print_table("", rows)
    for line in disk_lines(plan):
        click.echo(line)
    for line in _lost(plan.lost):
        click.echo(line, err=True)
