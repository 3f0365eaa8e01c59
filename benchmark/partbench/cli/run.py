"""`bench run`: fit, explain, score; write results, leaderboards and pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from partbench.cli.pages import write_pages_of
from partbench.cli.parameters import (
    completion_of,
    data_root_option,
    device_option,
    json_option,
    other_option,
    results_option,
)
from partbench.cli.workbench import open_workbench

if TYPE_CHECKING:
    from partbench.running.jobs import Outcome


@click.command()
@click.option(
    "--plugin", "plugins", multiple=True, required=True, metavar="NAME|FILE.py",
    shell_complete=completion_of("explainers"),
    help="Explainer to run, or a file with plugins of any kind; may be repeated. `all`: every explainer.",
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
    "--metric", "metrics", multiple=True, shell_complete=completion_of("metrics"), help="Print these metrics only."
)
@click.option("--overwrite", is_flag=True, help="Run finished cells again.")
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="Draw the explanations of new cells.")
@json_option
@results_option
@device_option
@data_root_option
@other_option
def run(
    plugins: tuple[str, ...], tasks: tuple[str, ...], seeds: tuple[int, ...], option_texts: tuple[str, ...],
    metrics: tuple[str, ...], overwrite: bool, pictures: bool, as_json: bool, results: Path, device: str,
    data_root: Path | None, other: Path | None,
) -> None:  # fmt: skip
    """Fit explainers, score them, update leaderboards and draw pictures.

    \b
    Examples:
      bench run --plugin srae
      bench run --plugin srae --plugin nn --task fauna/multi:bird --seed 0 --seed 1
      bench run --plugin srae -o profile=released -o epochs=30
      bench run --plugin srae --task 'animal_part/multi:*' --data-root ~/data
      bench run --plugin ./my_explainer.py --task fauna/multi:cat
      bench run --plugin ./my_metric.py               score the floors and srae
    """
    registry, workbench = open_workbench(device, data_root, [name for name in plugins if name.endswith(".py")], other)
    from partbench import options
    from partbench.cli.console import Reporter
    from partbench.cli.selection import selected
    from partbench.pictures.gallery import draw_pictures
    from partbench.results.schema import picture_path
    from partbench.running.jobs import Campaign, check_writable, plan

    chosen = selected(registry, plugins, tasks, metrics)
    for name in chosen.metrics:
        registry.find("metrics", name.partition("@")[0])
    names = workbench.expand(chosen.tasks)
    jobs = plan(registry, chosen.explainers, names, seeds or (0,), options.parse(option_texts))
    check_writable(results)
    outcomes: list[Outcome] = []
    with Reporter(len(jobs), quiet=as_json) as reporter:
        workbench.progress = reporter.progress
        for outcome in Campaign(workbench, jobs, results, overwrite, reporter.progress):
            reporter.cell(outcome)
            outcomes.append(outcome)
            if pictures and outcome.run and not (outcome.run.failed or outcome.run.skipped):
                path = picture_path(results.parent / "pictures", outcome.cell.columns)
                try:
                    for picture in draw_pictures(workbench, outcome.task, outcome.run.explainer, path):
                        reporter.drawn(picture)
                except Exception as error:  # such as of a head() that raises
                    reporter.not_drawn(error)
    pages = write_pages_of(results, {outcome.cell.dataset for outcome in outcomes})
    reporter.summary(outcomes, chosen.metrics, pages, as_json)
    if any(outcome.failed for outcome in outcomes):
        sys.exit(1)
