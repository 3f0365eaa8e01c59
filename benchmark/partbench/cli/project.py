"""The plugin file of a project: what the entry point in its pyproject.toml names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from partbench.errors import InputError
from partbench.hookspecs import GROUP

POINT = f"[project.entry-points.{GROUP}]"


def plugin_file(project: Path) -> Path:
    """The file of the module that a project's first entry point of partbench names.

    Raises InputError where there is no pyproject.toml, no such entry point, or no such module.
    """
    file = project / "pyproject.toml"
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
