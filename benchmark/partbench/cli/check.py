"""`bench check`: which rules of the contract a plugin breaks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from partbench.cli.parameters import completion_of, data_root_option, device_option, other_option, path_option
from partbench.cli.workbench import open_workbench, progress_of

if TYPE_CHECKING:
    from partbench.registry import Registry


@click.command()
@click.argument(
    "plugin", metavar="FILE|NAME", shell_complete=completion_of("explainers", "metrics", "datasets", "performers")
)
@click.option("--task", metavar="DATASET/WHAT[@PERFORMER]", shell_complete=completion_of("tasks"),
              help="Task to check an explainer, metric or performer on. Default: a task on embedded data.")  # fmt: skip
@click.option("-o", "option_texts", multiple=True, metavar="OPTION=VALUE", help="An option of the explainer.")
@path_option
@device_option
@data_root_option
@other_option
def check(
    plugin: str, task: str | None, option_texts: tuple[str, ...], files: tuple[Path, ...], device: str,
    data_root: Path | None, other: Path | None,
) -> None:  # fmt: skip
    """Check a plugin on a few images: which rules it breaks, and which metrics cannot score it.

    Exit code 1 if it does not keep the contract.

    \b
    Examples:
      bench check ./my_explainer.py
      bench check srae -o epochs=1
      bench check ./my_metric.py --task fauna/multi:cat
      bench check animal_part --data-root ~/data
    """
    registry, workbench = open_workbench(
        device, data_root, [*files, *([plugin] if plugin.endswith(".py") else [])], other
    )
    from partbench import options
    from partbench.cli.plugin_kit import Trial
    from partbench.testing import ContractError

    trial = Trial(workbench, task, options.parse(option_texts))
    failed = False
    with progress_of(workbench):
        for kind, name in _meant(registry, plugin):
            try:
                notes = trial.check(kind, name)
            except ContractError as error:
                failed = True
                click.echo(f"{kind.removesuffix('s')} {name} does not keep the contract: {error}")
            else:
                click.echo(f"{kind.removesuffix('s')} {name} keeps the contract")
                for note in notes:
                    click.echo(f"  {note}")
    if failed:
        sys.exit(1)


def _meant(registry: Registry, plugin: str) -> list[tuple[str, str]]:
    """Kind and name of each plugin in a file or of a name. Raises InputError if there is none."""
    from partbench.errors import unknown
    from partbench.registry import KINDS

    if plugin.endswith(".py"):
        return [(kind, name) for kind, names in registry.of_file(plugin).items() for name in names]
    found = [(kind, plugin) for kind in KINDS if plugin in getattr(registry, kind)]
    if not found:
        registry.raise_if_broken(plugin)
        raise unknown("plugin", plugin, {name for kind in KINDS for name in getattr(registry, kind)})
    return found
