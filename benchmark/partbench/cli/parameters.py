"""Options that several commands share, and completion of names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from partbench.errors import InputError

results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of Parquet files; leaderboards/ and pictures/ are written beside it.",
)
data_root_option = click.option(
    "--data-root", type=click.Path(path_type=Path), envvar="PARTBENCH_DATA",
    help="Folder of real data, or one that holds a folder per dataset. Default: $PARTBENCH_DATA, else what "
    "`bench data add` noted.",
)  # fmt: skip
other_option = click.option(
    "--other", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Folder of random photographs: what single tasks tell a category from, where a dataset has none.",
)  # fmt: skip
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
jobs_option = click.option(
    "--jobs", type=click.IntRange(min=1), help="Cells at once, each in a process. Default: all cores."
)


def _existing_files(context: click.Context, parameter: click.Parameter, files: tuple[Path, ...]) -> tuple[Path, ...]:
    from partbench.plugin_files import existing

    return tuple(map(existing, files))


path_option = click.option(
    "--plugin-file", "files", multiple=True, type=click.Path(path_type=Path), callback=_existing_files,
    help="Load plugins from a file too.",
)  # fmt: skip


def time_limit_option(what: str, seconds: float = 6 * 3600.0) -> Any:
    """--time-limit, in seconds; `what` says what becomes of what takes longer."""
    kind = click.FloatRange(min=0, min_open=True)
    return click.option("--time-limit", type=kind, metavar="SECONDS", default=seconds, show_default=True, help=what)


def expect_results(results: Path) -> None:
    """Raise InputError where there is no folder of results; finish what an interrupted `bench score` left there."""
    from partbench.results.amendment import finish_amendments

    if not results.is_dir():
        raise InputError(f"no folder {results}; run `bench run` first, or name one with --results")
    finish_amendments(results)


def results_there(results: Path) -> bool:
    """Whether there is a folder of results, for a command that shows published ones where there is none.

    Raises InputError for a folder that was named with --results and is not there.
    """
    source = click.get_current_context().get_parameter_source("results")
    if source is ParameterSource.DEFAULT and not results.is_dir():
        return False
    expect_results(results)
    return True


def completion_of(*kinds: str) -> Any:
    """Completion of the names of these kinds ("explainers", ..., "tasks"), read from the catalogue."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from partbench.catalogue import catalogue

        found = catalogue()
        names = [plugin.name for kind in kinds for plugin in found.of(kind)]
        names += [task["name"] for task in found.tasks] if "tasks" in kinds else []
        return [name for name in names if name.startswith(incomplete)]

    return complete
