"""The files of a new plugin, made from the templates in `skeletons`: written whole or not at all. Imports no torch."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from partbench.errors import InputError

LONGEST_NAME = 60
RESERVED = (
    "all",
    "conftest",
    "setup",
    "test",
    "tests",
)  # pytest, packaging or `--plugin` take these for something else


class _Words(NamedTuple):
    """What the README says of a kind of plugin."""

    article: str
    does: str
    runs: str
    installed: str


WORDS = {
    "explainer": _Words(
        "an", "It scores concepts of an image and maps where they are.", "fit it, score it, draw what it explains",
        "bench run --plugin {name}",
    ),
    "metric": _Words(
        "a", "It gives each explained image a value.", "score explainers by it",
        "bench run --plugin srae --metric {name}",
    ),
    "dataset": _Words(
        "a", "It has images of some classes, with parts.", "score explainers on its images",
        "bench run --plugin srae --task '{name}/multi:*'",
    ),
    "performer": _Words(
        "a", "It is a trained network for explainers to explain.", "score explainers of it",
        "bench run --plugin srae --task fauna/multi:bird@{name}",
    ),
}  # fmt: skip


def write_skeleton(kind: str, name: str, folder: Path, taken: Mapping[str, str] = {}) -> Path:
    """Make the folder of a plugin of this kind ("explainer", ...) in `folder`; returns where it is.

    `taken` maps names of registered plugins of the kind to their distributions. Raises InputError for a name that
    cannot be used and for a folder that is there, and where nothing can be written; then nothing is left behind.
    """
    check_name(name)
    if name in taken:
        raise InputError(f"{taken[name]} has {WORDS[kind].article} {kind} named '{name}'; choose another name")
    place = folder / name
    if not folder.is_dir():
        raise InputError(f"no folder {folder}; make it first, or choose another --folder")
    if place.exists() or place.is_symlink():
        raise InputError(f"{place} is there already; remove it, or choose another name or --folder")
    files = rendered(kind, name)
    try:
        beginning = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --folder") from error
    try:
        for file, text in files.items():
            (beginning / file).write_text(text, encoding="utf-8")
        beginning.chmod(0o777 & ~_umask())  # mkdtemp makes folders for the user alone
        beginning.rename(place)
    except OSError as error:
        raise InputError(f"cannot write {place}: {error.strerror}; choose another --folder") from error
    finally:
        shutil.rmtree(beginning, ignore_errors=True)
    return place


def check_name(name: str) -> None:
    """Raise InputError for a name that cannot be that of a plugin and of its module."""
    if len(name) > LONGEST_NAME:
        raise InputError(f"the name has {len(name)} characters, expected at most {LONGEST_NAME}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        usual = re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()).strip("_")
        hint = f"; '{usual}' would do" if re.match("[a-z]", usual) else ""
        raise InputError(
            f"'{name}' is no module's name: expected lower-case letters, digits and underscores, a letter first{hint}"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in RESERVED or name.startswith("test_"):
        raise InputError(f"'{name}' has another meaning in Python or pytest; choose another name, such as 'my_{name}'")
    if is_module(name):
        raise InputError(f"there is a Python module '{name}', which the plugin would hide; choose another name")


def is_module(name: str) -> bool:
    """Whether `import name` finds a module now; folders without modules do not count."""
    if name in sys.stdlib_module_names:
        return True
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None


def rendered(kind: str, name: str) -> dict[str, str]:
    """The text of each file of a new plugin, by its name."""
    cls = class_name(kind, name)
    own = {"name": name, "kind": kind, "distribution": f"partbench-{name.strip('_').replace('_', '-')}", "cls": cls}
    net = {"net": cls, "net_name": name} if kind == "performer" else {"net": f"{cls}Net", "net_name": f"{name}_net"}
    words = {key: text.format(name=name) for key, text in WORDS[kind]._asdict().items()}
    templates = {
        "pyproject.toml": "pyproject.toml", f"{name}.py": f"{kind}/plugin.py",
        f"test_{name}.py": f"{kind}/test_plugin.py", "README.md": "README.md",
    }  # fmt: skip
    return {file: _render(template, **own, **net, **words) for file, template in templates.items()}


def class_name(kind: str, name: str) -> str:
    """`my_maps` is MyMaps; a name that the plugin's file uses otherwise gets its kind behind it."""
    camel = "".join(word.capitalize() for word in name.split("_"))
    used = set(dir(builtins))
    for node in ast.walk(ast.parse(_render(f"{kind}/plugin.py", name="x", cls="X", net="XNet", net_name="x_net"))):
        if isinstance(node, (ast.Name, ast.alias)):
            used.add(node.id if isinstance(node, ast.Name) else (node.asname or node.name))
    return f"{camel}{kind.capitalize()}" if used & {camel, f"{camel}Set", f"{camel}Net"} else camel


def _render(template: str, **values: str) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("partbench.cli", "skeletons")
    made = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=False)
    return made.get_template(f"{template}.jinja").render(**values).rstrip("\n") + "\n"


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask
