"""`bench list` and `bench doctor`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.data import patterns
from partbench.cli.parameters import completion_of, data_root_option, json_option, path_option

if TYPE_CHECKING:
    from partbench.catalogue import Catalogue, Listed

KINDS = ("explainers", "metrics", "datasets", "tasks", "performers")
HIDDEN = ("module", "options", "source", "unit")  # in JSON only


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.argument("name", required=False, shell_complete=completion_of("explainers", "metrics", "datasets", "performers"))
@path_option
@data_root_option
@json_option
def list_(kind: str | None, name: str | None, files: tuple[Path, ...], data_root: Path | None, as_json: bool) -> None:
    """List the plugins and tasks, with versions and owners, and the broken plugins; or all that is known of one.

    Of an explainer or a metric these are its options with their defaults, of a dataset its tasks, of a performer its
    layers: their roles, shapes and receptive fields. After `tasks`, NAME is a dataset. Without KIND, tasks are shown as
    patterns, which `bench run --task` takes; `bench list tasks` names each task.

    \b
    Examples:
      bench list
      bench list metrics --json
      bench list explainers srae
      bench list performers small_vgg
      bench list performers torchvision:resnet18
      bench list tasks fauna
    """
    from partbench.catalogue import catalogue
    from partbench.cli.one_plugin import described, print_described

    found = catalogue(files)
    if kind and name:
        row = described(found, "datasets" if kind == "tasks" else kind, name, files, data_root)
        if kind == "tasks":
            row = {"name": name, "facts": {}, "tasks": row["tasks"]}
        if as_json:
            click.echo(json.dumps(row, indent=1))
        else:
            print_described(row)
        return
    listing = {name: _rows(found, name) for name in ([kind] if kind else KINDS)}
    if as_json:
        click.echo(json.dumps({**listing, "broken": found.broken}, indent=1))
        return
    if kind is None:
        listing["tasks"] = task_patterns(found.tasks)
    from partbench.cli.tables import print_table

    for name, rows in listing.items():
        print_table(name, [{key: row[key] for key in row if key not in HIDDEN} for row in rows])
    if found.broken:
        print_table("broken plugins", found.broken)


def _rows(found: Catalogue, kind: str) -> list[dict[str, Any]]:
    if kind == "tasks":
        return list(found.tasks)
    return [_row(plugin) for plugin in found.of(kind)]


def task_patterns(tasks: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows of patterns in place of many tasks, by dataset and default performer."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for task in tasks:
        grouped.setdefault((task["name"].partition("/")[0], task["performer"]), []).append(task["name"])
    return [
        {"name": text, "performer": performer} for (_, performer), names in grouped.items() for text in patterns(names)
    ]


def _row(plugin: Listed) -> dict[str, Any]:
    from partbench.leaderboard.units import unit_of

    row: dict[str, Any] = {
        "name": plugin.name,
        "version": plugin.version,
        "owner": f"{plugin.distribution} {plugin.distribution_version}",
        "module": plugin.owner,
        "what": plugin.what,
        "source": plugin.source,
    }
    if plugin.kind == "metrics":
        row["unit"] = plugin.unit or unit_of(plugin.name)
    return row | ({"options": plugin.options} if plugin.kind in ("explainers", "metrics") else {})


@click.command()
@path_option
@data_root_option
@json_option
def doctor(files: tuple[Path, ...], data_root: Path | None, as_json: bool) -> None:
    """Check the environment, the data and the plugins.

    \b
    Example:
      bench doctor --data-root ~/data
    """
    from partbench.cli.doctor import examine
    from partbench.cli.tables import print_table

    found = examine(files, data_root)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        for title, rows in found.items():
            print_table(title, rows)
    if any(row["status"] == "broken" for rows in found.values() for row in rows):
        sys.exit(1)
