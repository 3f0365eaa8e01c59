"""Default tasks and explainers of the command line. They are data of partbench_plugins: the core names no plugin."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

PACKAGE, FILE = "partbench_plugins", "defaults.toml"


@dataclass(frozen=True)
class Defaults:
    """`tasks` of a run; `companions`, explainers run with a plugin file that has none; the task of `bench check`.

    `of_dataset` makes the tasks of a dataset of its name.
    """

    tasks: tuple[str, ...]
    of_dataset: str
    companions: tuple[str, ...]
    check: str


def defaults() -> Defaults:
    """The defaults of the installed first-party plugins."""
    data = tomllib.loads(files(PACKAGE).joinpath(FILE).read_text(encoding="utf-8"))
    return Defaults(tuple(data["tasks"]), data["of_dataset"], tuple(data["companions"]), data["check"])
