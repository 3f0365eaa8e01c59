"""`bench list KIND NAME`: all that is known of one plugin. Imports no torch."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.errors import InputError, unknown
from partbench.names import performer_bases
from partbench.results.plain_text import printable

if TYPE_CHECKING:
    from partbench.catalogue import Catalogue

MOST_NAMED, FIRST_NAMED = 250, 10  # logits that are named, of networks with more the first ones
LIMIT = 600.0  # seconds that opening a performer may take: some are trained first


def described(
    found: Catalogue, kind: str, name: str, files: Sequence[Path] = (), data_root: Path | None = None
) -> dict[str, Any]:
    """A plugin as plain data. "facts" are rows of what it says of itself; "options", "layers" or "tasks" are tables.

    Raises InputError for an unknown name, and for a performer that cannot be opened.
    """
    plugins = {plugin.name: plugin for plugin in found.of(kind)}
    bases = [name, *(performer_bases(name) if kind == "performers" else ())]
    plugin = next((plugins[base] for base in bases if base in plugins), None)
    if plugin is None:
        raise unknown(kind.removesuffix("s"), name, plugins)
    owner = f"{plugin.distribution} {plugin.distribution_version}"
    facts = {"what": plugin.what, "source": plugin.source, **plugin.facts, "version": plugin.version, "owner": owner}
    row: dict[str, Any] = {"name": name, "facts": {key: text for key, text in facts.items() if text}}
    if kind in ("explainers", "metrics"):
        row["options"] = plugin.options
    if kind == "datasets":
        row["tasks"] = [task for task in found.tasks if task["name"].startswith(f"{name}/")]
    if kind == "performers" and not name.endswith(":NAME"):
        row |= performer_layers(name, files, data_root)
    return row


def performer_layers(name: str, files: Sequence[Path], data_root: Path | None) -> dict[str, Any]:
    """The layers of a performer, the names of its logits and the task that it was opened for, found by a worker.

    Raises InputError for a performer that cannot be opened.
    """
    from dataclasses import replace

    from partbench.running.cell_job import Limits, Setting, plain
    from partbench.running.crew import Crew, Step

    setting = Setting.at(None, files, data_root)
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
    from partbench.cli.tables import print_table, table_width

    facts = dict(row["facts"])
    if "layers" in row:
        facts |= {"opened for": row["task"], "logits": in_short(row["outputs"])}
        facts |= {"lacks": row["lacks"]} if row.get("lacks") else {}
    wide = max(map(len, facts), default=0) + 2
    for key, text in {"": row["name"], **facts}.items():
        lines = textwrap.wrap(printable(text), max(20, table_width() - wide)) or [""]
        click.echo("\n".join([f"{key:<{wide}}{lines[0]}" if key else lines[0], *(" " * wide + x for x in lines[1:])]))
    if "options" in row:
        options = [_option(option) for option in row["options"]]
        print_table("options" if options else "no options", options)
    if "layers" in row:
        print_table("layers; sees, step and first centre in px of the image", row["layers"])
    if "tasks" in row:
        print_table("tasks", row["tasks"])


def in_short(names: Sequence[str]) -> str:
    """Names as a list; of very many only the first ones and the last."""
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:FIRST_NAMED])}, ..., {names[-1]} ({len(names):,})"


def _option(option: dict[str, str]) -> dict[str, str]:
    default = option["value"] if option["value"] == option["default"] else f"{option['value']}, set by other options"
    return {"name": option["name"], "default": default, "type": readable(option["type"]), "what": option["what"]}


def readable(text: str) -> str:
    """A type as it is said: "Annotated[int, Ge(1)]" is "int >= 1", "Literal['a', 'b']" is "'a' | 'b'".

    "typing.Annotated[int, Ge(ge=1)]", as Python writes a type that is no text, is "int >= 1" too.
    """
    text = re.sub(r"\b(?:typing|annotated_types)\.", "", text)
    signs = {"Ge": ">=", "Gt": ">", "Le": "<=", "Lt": "<"}
    text = re.sub(r"Literal\[([^\]]*)\]", lambda found: " | ".join(found[1].split(", ")), text)
    bound = r", (Ge|Gt|Le|Lt)\((?:\w+=)?([^()]*)\)"
    while found := re.search(rf"Annotated\[(\w+)((?:{bound})+)\]", text):
        bounds = " ".join(f"{signs[name]} {value}" for name, value in re.findall(bound, found[2]))
        text = text.replace(found[0], f"{found[1]} {bounds}")
    return text
