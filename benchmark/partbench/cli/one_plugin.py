"""`bench list KIND NAME`: all that is known of one plugin. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partbench.errors import InputError, unknown

if TYPE_CHECKING:
    from partbench.catalogue import Catalogue

LIMIT = 600.0  # seconds that opening a performer may take: some are trained first


def described(
    found: Catalogue, kind: str, name: str, files: Sequence[Path] = (), data_root: Path | None = None
) -> dict[str, Any]:
    """A plugin as plain data. "facts" are rows of what it says of itself; "options", "layers" or "tasks" are tables.

    Raises InputError for an unknown name, and for a performer that cannot be opened.
    """
    plugins = {plugin.name: plugin for plugin in found.of(kind)}
    if name not in plugins:
        raise unknown(kind.removesuffix("s"), name, plugins)
    plugin = plugins[name]
    owner = f"{plugin.distribution} {plugin.distribution_version}"
    facts = {"what": plugin.what, "source": plugin.source, **plugin.facts, "version": plugin.version, "owner": owner}
    row: dict[str, Any] = {"name": name, "facts": {key: text for key, text in facts.items() if text}}
    if kind in ("explainers", "metrics"):
        row["options"] = plugin.options
    if kind == "datasets":
        row["tasks"] = [task for task in found.tasks if task["name"].startswith(f"{name}/")]
    if kind == "performers":
        row |= layers_of(name, files, data_root)
    return row


def layers_of(name: str, files: Sequence[Path], data_root: Path | None) -> dict[str, Any]:
    """The task that a performer was opened for, the names of its logits, and its layers; asked of a worker."""
    from dataclasses import replace

    from partbench.running.cell_job import Limits, Setting, plain
    from partbench.running.crew import Crew, Step

    root = None if data_root is None else str(data_root.resolve())
    setting = Setting("", tuple(str(file.resolve()) for file in files), root)
    request = {"do": "call", "function": "partbench.running.layers:layers", "setting": plain(setting)}
    limits = replace(Limits.usual(), preparing=LIMIT)
    with Crew(1, limits) as crew:
        [answer] = crew.run([Step("layers", {**request, "name": name, "task": None}, f"opening {name}")])
    if answer.kind != "done":
        raise InputError(answer.text if answer.kind == "mistake" else f"{name} cannot be opened: {answer.text}")
    found: dict[str, Any] = answer.result
    return found


def print_described(row: dict[str, Any]) -> None:
    """The facts, and the tables below them."""
    from partbench.cli.tables import print_table

    facts = dict(row["facts"])
    if "layers" in row:
        facts |= {"opened for": row["task"], "logits": ", ".join(row["outputs"])}
    if facts:
        print_table(row["name"], [{"": key, " ": text} for key, text in facts.items()])
    if "options" in row:
        options = [_option(option) for option in row["options"]]
        print_table("options, as in -o NAME=VALUE" if options else "no options", options)
    if "layers" in row:
        print_table("layers; sees, step and first centre in px of the image", row["layers"])
    if "tasks" in row:
        print_table("tasks", row["tasks"])


def _option(option: dict[str, str]) -> dict[str, str]:
    default = option["value"] if option["value"] == option["default"] else f"{option['value']}, set by other options"
    return {"name": option["name"], "default": default, "type": option["type"], "what": option["what"]}
