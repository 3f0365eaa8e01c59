"""`bench check`: which rules of the contract a plugin breaks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from partbench.cli.parameters import (
    completion_of,
    data_root_option,
    device_option,
    other_option,
    path_option,
    time_limit_option,
)

if TYPE_CHECKING:
    from partbench.running.cell_job import Setting
    from partbench.testing.finding import Finding

LINES = 20  # of what a plugin printed


@click.command()
@click.argument(
    "plugin", metavar="FILE|NAME|PROJECT",
    shell_complete=completion_of("explainers", "metrics", "datasets", "performers"),
)  # fmt: skip
@click.option("--task", metavar="DATASET/WHAT[@PERFORMER]", shell_complete=completion_of("tasks"),
              help="Task to check an explainer, metric or performer on. Default: a task on embedded data.")  # fmt: skip
@click.option("-o", "option_texts", multiple=True, metavar="OPTION=VALUE", help="An option of the explainer.")
@time_limit_option("A plugin whose check takes longer does not pass.", 600.0)
@click.option("--traceback", is_flag=True, help="Print the traceback of an exception too.")
@path_option
@device_option
@data_root_option
@other_option
def check(
    plugin: str, task: str | None, option_texts: tuple[str, ...], time_limit: float, traceback: bool,
    files: tuple[Path, ...], device: str, data_root: Path | None, other: Path | None,
) -> None:  # fmt: skip
    """Try a plugin on a few images: which rules it breaks, how to mend it, and which metrics are skipped.

    PROJECT is a folder with a pyproject.toml, as `bench new` makes it. The plugin runs in a process of its own. Exit
    code 1 if it does not keep the contract, 2 for a mistake in what was given.

    \b
    Examples:
      bench check ./my_explainer.py
      bench check my_explainer/
      bench check srae -o epochs=1
      bench check ./my_metric.py --task fauna/multi:cat
      bench check animal_part --data-root ~/data
    """
    from partbench.cache.upkeep import prepare_cache
    from partbench.cli.isolated_check import IsolatedCheck
    from partbench.cli.progress import Display
    from partbench.cli.project import file_or_name
    from partbench.running.engine import interruptible

    prepare_cache()
    meant = file_or_name(plugin)
    given = [*files, *([Path(meant)] if meant.endswith(".py") else [])]
    isolated = IsolatedCheck(meant, _setting(given, device, data_root, other), task, option_texts, time_limit)
    failed = False
    with interruptible(), Display(quiet=not sys.stderr.isatty()) as display:
        for finding, printed in isolated.findings(display):
            _print(finding, printed, traceback)
            failed = failed or bool(finding.problem)
    if failed:
        sys.exit(1)


def _setting(files: list[Path], device: str, data_root: Path | None, other: Path | None) -> Setting:
    from partbench.running.cell_job import Setting

    return Setting.at(None, files, data_root, other, device=device)


def _print(finding: Finding, printed: str, traceback: bool) -> None:
    for line in finding.lines():
        click.echo(line)
    if traceback and finding.traceback:
        click.echo(finding.traceback)
    lines = printed.splitlines()
    if lines and not finding.problem.startswith("it raised"):
        click.echo(f"  it printed{f' (the last {LINES} lines)' if len(lines) > LINES else ''}:", err=True)
        for line in lines[-LINES:]:
            click.echo(f"    {line}", err=True)
