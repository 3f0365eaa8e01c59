"""`bench data`: where to get datasets, whether a folder holds one, and where it lies."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.parameters import completion_of, data_root_option, json_option, path_option
from partbench.cli.usage import Commands
from partbench.errors import InputError, unknown

if TYPE_CHECKING:
    from partbench.catalogue import Catalogue, Listed

SHOWN = {  # fields of a DatasetCard and what they are called
    "source": "get it from", "size": "download", "layout": "folder to name", "licence": "licence",
    "citation": "cite", "images": "images", "train": "train images", "test": "test images", "categories": "categories",
}  # fmt: skip
FEW = 3  # tasks of a kind that are named one by one


@click.group(cls=Commands)
def data() -> None:
    """Datasets: where to get them, whether they are whole, where they lie.

    A dataset is looked for in --data-root, else in $PARTBENCH_DATA, else where `bench data add` says.
    """


@data.command()
@click.argument("name", required=False, shell_complete=completion_of("datasets"))
@path_option
@json_option
def info(name: str | None, files: tuple[Path, ...], as_json: bool) -> None:
    """Say of each dataset, or of NAME, where to get it, its size, licence, tasks and citation.

    \b
    Examples:
      bench data info
      bench data info cub
    """
    from partbench.catalogue import catalogue

    found = catalogue(files)
    datasets = found.of("datasets")
    known = [dataset.name for dataset in datasets]
    if name is not None and name not in known:
        raise unknown("dataset", name, known)
    facts = {one.name: _facts(found, one) for one in datasets if name in (None, one.name)}
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    for dataset, of_one in facts.items():
        click.secho(dataset, bold=True)
        for label, text in of_one.items():
            click.echo(f"  {label:<15} {', '.join(text) if isinstance(text, list) else text}")


@data.command()
@click.argument("name", shell_complete=completion_of("datasets"))
@click.option("--images/--no-images", default=True, show_default=True, help="Read every image.")
@path_option
@data_root_option
@json_option
def check(name: str, images: bool, files: tuple[Path, ...], data_root: Path | None, as_json: bool) -> None:
    """Check a dataset: its layout, its counts against the published ones, whether its images can be read.

    Exit code 1 if something is broken. Fewer images than published are a note: a part of a dataset can be used.

    \b
    Examples:
      bench data check cub --data-root ~/data
      bench data check celeba --no-images
    """
    from partbench.cli.console import Reporter
    from partbench.cli.data_check import examined
    from partbench.cli.tables import print_table
    from partbench.registry import load

    with Reporter() as reporter:
        rows = examined(load(files), name, data_root, images, reporter.progress)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        print_table(name, rows)
    if any(row["status"] == "broken" for row in rows):
        sys.exit(1)


@data.command()
@click.argument("name", shell_complete=completion_of("datasets"))
@click.argument("folder", type=click.Path(path_type=Path))
@path_option
def add(name: str, folder: Path, files: tuple[Path, ...]) -> None:
    """Note in the config file that dataset NAME lies in FOLDER, once its layout is found right.

    \b
    Example:
      bench data add cub ~/data/CUB_200_2011
    """
    from partbench.cli.data_check import examined
    from partbench.data_folders import expanded, note_folder
    from partbench.plugin.dataset import silent
    from partbench.registry import load

    registry = load(files)
    if not registry.find("datasets", name).cls.needs_root:
        raise InputError(f"{name} needs no folder: it comes with its plugin")
    place = Path(os.path.realpath(expanded(folder, "FOLDER")))  # Path.resolve raises RuntimeError for a loop
    rows = examined(registry, name, place, False, silent)
    for row in rows:
        if row["status"] == "broken":
            raise InputError(row["found"])
    file = note_folder(name, place)
    for row in rows:
        click.echo(f"{row['name']}: {row['found']}")
    click.echo(f"noted in {file}; --data-root and PARTBENCH_DATA take its place where they are given")


def _facts(found: Catalogue, dataset: Listed) -> dict[str, Any]:
    """What is known of a dataset, by label."""
    card = {label: dataset.card.get(field) for field, label in SHOWN.items()}
    counts = {label: f"{value:,}" if isinstance(value, int) else value for label, value in card.items() if value}
    tasks = [task["name"] for task in found.tasks if task["name"].startswith(f"{dataset.name}/")]
    return {"what": dataset.what, **counts, "tasks": patterns(tasks), "lies in": _place(dataset)}


def patterns(tasks: list[str]) -> list[str]:
    """Tasks, or where there are many of a kind the pattern that stands for them and their number."""
    kinds: dict[str, list[str]] = {}
    for task in tasks:
        dataset, _, what = task.partition("/")
        head = next((start for start in ("multi:", "attribute-") if what.startswith(start)), "")
        tail = ":others" if what.endswith(":others") else ""
        kinds.setdefault(task if what == "multi" else f"{dataset}/{head}*{tail}", []).append(task)
    several = {kind: f"{kind} ({len(names)} tasks, such as {names[0]})" for kind, names in kinds.items()}
    return [text for kind, names in kinds.items() for text in (names if len(names) <= FEW else [several[kind]])]


def _place(dataset: Listed) -> str:
    from partbench.data_folders import config_file, folder_of_config, folder_of_environment

    if not dataset.needs_root:
        return "needs no folder"
    if folder := folder_of_environment():
        return f"{folder} (PARTBENCH_DATA)"
    if noted := folder_of_config(dataset.name):
        return f"{noted} ({config_file()})"
    return f"not known; --data-root DIR, or `bench data add {dataset.name} DIR`"
