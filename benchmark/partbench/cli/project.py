"""Plugins as users name them: by name, by file, or by the folder of a project, whose entry point names the file."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from partbench.errors import InputError
from partbench.hookspecs import GROUP
from partbench.performer_folder import CODE, DESCRIPTION
from partbench.plugin_files import absolute, existing

TRAINED = (DESCRIPTION, CODE)  # in the folder of a performer that `bench performer train` wrote
POINT = f"[project.entry-points.{GROUP}]"


def file_or_name(plugin: str) -> str:
    """What a user means by a plugin: the absolute path of a file, which ends in .py, or a name.

    A folder stands for the plugin file of its project. Where a folder and an installed plugin have one name, the name
    is that of the installed plugin and `./NAME` the folder. Raises InputError for a file that is not there or cannot be
    read, and for a folder without a project.
    """
    if "/" in plugin or plugin.endswith(".py"):  # which no name has
        path = absolute(Path(plugin))
        return str(existing(plugin_file(path) if path.is_dir() else path))
    with suppress(OSError, ValueError):  # a name that no file can have
        if any(Path(plugin, name).exists() for name in ("pyproject.toml", TRAINED[0])) and not _is_installed(plugin):
            return str(existing(plugin_file(Path(plugin))))
    return plugin


def _is_installed(name: str) -> bool:
    from partbench.catalogue import catalogue

    return name in {plugin.name for plugin in catalogue().plugins}


def plugin_file(project: Path) -> Path:
    """The file of the module that a project's first entry point of partbench names; of a trained performer, its own.

    Raises InputError where there is no pyproject.toml, no such entry point, or no such module.
    """
    file = project / "pyproject.toml"
    if all((project / name).is_file() for name in TRAINED):
        return project / TRAINED[1]
    if not file.is_file():
        raise InputError(f"no {file}; expected a plugin file, a name or the folder of a project made by `bench new`")
    try:
        data: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    points = data
    for key in ("project", "entry-points", GROUP):
        points = points.get(key) if isinstance(points, dict) else None
    if not isinstance(points, dict) or not points:
        raise InputError(f"{file} has no {POINT}, without which nobody finds the plugin once it is installed; write "
                         f'{POINT} and below it: {project.resolve().name} = "MODULE"')  # fmt: skip
    name, module = next(iter(points.items()))
    steps = str(module).partition(":")[0].split(".")
    if not all(step.isidentifier() for step in steps):
        raise InputError(f"{file}: the entry point {name} names '{module}', expected a module such as my_explainer")
    for folder in (project, project / "src"):
        for found in (folder.joinpath(*steps).with_suffix(".py"), folder.joinpath(*steps, "__init__.py")):
            if found.is_file():
                return found
    raise InputError(f"{file}: the entry point {name} names the module '{module}', expected a file {steps[-1]}.py")
