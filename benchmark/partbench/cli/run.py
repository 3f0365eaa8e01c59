"""`bench run`: fit, explain, score; write results, leaderboards and pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.engines import EngineChoice, engine_options
from partbench.cli.metric_names import expect_metrics
from partbench.cli.pages import write_pages_of
from partbench.cli.parameters import (
    completion_of,
    data_root_option,
    device_option,
    json_option,
    other_option,
    results_option,
    time_limit_option,
)

if TYPE_CHECKING:
    import pandas as pd

    from partbench.cli.progress import Display
    from partbench.running.cell_job import CellOutcome, Setting
    from partbench.running.engine import Plan


@click.command()
@click.option(
    "--plugin", "plugins", multiple=True, required=True, metavar="NAME|FILE.py|PROJECT",
    shell_complete=completion_of("explainers"),
    help="Explainer to run, or a file or a project (a folder that `bench new` makes) with plugins of any kind; may be"
    " repeated. `all`: every explainer.",
)  # fmt: skip
@click.option(
    "--task", "tasks", multiple=True, metavar="DATASET/WHAT[@PERFORMER]", shell_complete=completion_of("tasks"),
    help="Task; may be repeated. Default: `fauna/multi:*`; for a dataset in a file, all of its tasks.",
)  # fmt: skip
@click.option(
    "--seed", "seeds", multiple=True, type=click.IntRange(0, 2**64 - 1), help="Seed; may be repeated. Default: 0."
)
@click.option(
    "-o",
    "option_texts",
    multiple=True,
    metavar="OPTION=VALUE",
    help="Option of the explainers; `EXPLAINER.OPTION=VALUE` for one of them.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    shell_complete=completion_of("metrics"),
    help="Print the scores of these metrics only; may be repeated. All metrics are computed and stored all the same."
    " `bench score --metric` adds one to cells that were finished before.",
)
@click.option("--overwrite", is_flag=True, help="Run finished cells again.")
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="Draw the explanations of new cells.")
@engine_options
@time_limit_option("A cell that takes longer fails.")
@click.option(
    "--memory-limit", type=click.FloatRange(min=0, min_open=True), metavar="GB",
    help="A cell that takes more resident memory fails. Default: four fifths of the machine's.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Run nothing: list the cells, the expected time and disk space.")
@json_option
@results_option
@device_option
@data_root_option
@other_option
def run(
    plugins: tuple[str, ...], tasks: tuple[str, ...], seeds: tuple[int, ...], option_texts: tuple[str, ...],
    metrics: tuple[str, ...], overwrite: bool, pictures: bool, time_limit: float, memory_limit: float | None,
    dry_run: bool, as_json: bool, results: Path, device: str, data_root: Path | None, other: Path | None,
    **engine_choice: Any,
) -> None:  # fmt: skip
    """Fit explainers, score them, update leaderboards and draw pictures.

    Every cell (an explainer, a task, a seed) runs in a worker process. One that fails, hangs or dies loses no other.
    Exit code 1: a cell or a metric failed. 130: interrupted; the same command goes on from there.

    \b
    Examples:
      bench run --plugin srae
      bench run --plugin srae --plugin nn --task fauna/multi:bird --seed 0 --seed 1
      bench run --plugin srae -o profile=released -o epochs=30
      bench run --plugin srae --task 'animal_part/multi:*' --data-root ~/data
      bench run --plugin ./my_explainer.py --task fauna/multi:cat
      bench run --plugin ./my_metric.py               score the floors and srae
      bench run --plugin all --jobs 8 --dry-run
      bench run --plugin all --engine dask --scheduler tcp://host:8786
      bench run --plugin all --engine dask --cluster slurm --jobs 64 --cluster-option queue=long
    """
    from partbench.cache.upkeep import prepare_cache
    from partbench.cli.progress import Display
    from partbench.cli.project import file_or_name
    from partbench.running.cell_job import Limits, prepare_results
    from partbench.running.engine import Request, interruptible

    named = [file_or_name(name) for name in plugins]
    expect_metrics(metrics, files=any(name.endswith(".py") for name in named))
    prepare_results(results)
    prepare_cache()
    setting = _setting(named, results, device, data_root, other, overwrite, pictures)
    request = Request(setting, named, tasks, seeds or (0,), list(option_texts), metrics)
    limits = Limits(time_limit, None if memory_limit is None else int(memory_limit * 2**30))
    choice = EngineChoice(**engine_choice)
    outcomes: list[CellOutcome] = []
    with interruptible(), Display(quiet=as_json) as display, choice.opened(request, limits, display, dry_run) as engine:
        _import_ahead()
        plan = engine.planned()
        if dry_run:
            _print_dry_run(plan, results, choice.jobs or engine.size, as_json)
            return
        display.total(len(plan.cells) + len(plan.lost), min(engine.size, len(plan.waiting)))
        for outcome in engine.run(plan):
            display.cell(outcome)
            outcomes.append(outcome)
    written = {str(outcome.columns["dataset"]) for outcome in outcomes if outcome.path}
    pages = write_pages_of(results, written) if written else []
    _print_summary(display, _in_order(plan, outcomes), plan.metrics, as_json)
    display.pages(pages)
    if any(outcome.failed for outcome in outcomes):
        sys.exit(1)


def _import_ahead() -> None:
    """Import what the end of a run needs, while workers come up and this process would only wait for them."""
    import partbench.cli.closing
    import partbench.leaderboard.build  # noqa: F401


def _setting(
    plugins: Sequence[str], results: Path, device: str, data_root: Path | None, other: Path | None, overwrite: bool,
    pictures: bool,
) -> Setting:  # fmt: skip
    from partbench.running.cell_job import Setting

    drawn = str((results.parent / "pictures").resolve()) if pictures else None
    files = [name for name in plugins if name.endswith(".py")]
    return Setting.at(results, files, data_root, other, device=device, overwrite=overwrite, pictures=drawn)


def _in_order(plan: Plan, outcomes: Sequence[CellOutcome]) -> list[CellOutcome]:
    """Outcomes in the order of the plan, whatever the order in which the cells ended."""
    place = {planned.path: number for number, planned in enumerate(plan.cells)}
    return sorted(outcomes, key=lambda outcome: place.get(str(outcome.path), len(place)))


def _print_summary(display: Display, outcomes: Sequence[CellOutcome], metrics: Sequence[str], as_json: bool) -> None:
    """The explainers beside floors and published ones, or where that is not possible their scores; or JSON.

    Scores are means over tasks and seeds. They are printed too if metrics were asked for, or more explainers are run
    than have tables beside others. Tables leave out further readings (`metric@reading`) unless metrics were asked for.
    JSON holds every aggregate row.
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
    if not _print_closing(display, shown, outcomes) or metrics:
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
        told = f"printed: {printed} of {stored} values; all are stored"
        display.line(told if metrics else f"all {stored} values: on the leaderboard, or --metric NAME", style="dim")


def _print_closing(display: Display, frame: pd.DataFrame, outcomes: Sequence[CellOutcome]) -> bool:
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


def _print_dry_run(plan: Plan, results: Path, workers: int, as_json: bool) -> None:
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
