"""Plugins in files that users name: imported by path, with the files beside them."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from partbench.errors import InputError, in_one_line


def import_file(path: Path) -> ModuleType:
    """Import a plugin from a .py file; it may import the modules beside it, as a script may.

    Files of one name in different folders are different modules. Raises InputError if the file is not there or fails to
    import.
    """
    path = path.resolve()
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    spec = importlib.util.spec_from_file_location(f"partbench_file_{path.stem}_{place}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InputError(f"no plugin file {path}; expected a Python file with a register_... hook")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        with _neighbours(path.parent):
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a file may call sys.exit
        del sys.modules[spec.name]
        raise InputError(f"plugin file {path} is broken: {in_one_line(error)}") from error
    return module


def digest(path: Path) -> str:
    """What stands for the version of a plugin file."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


@contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    """`folder` comes first on the path while a file of it is imported, and stays last for imports inside functions.

    Modules of these names from beside a plugin file are forgotten: each file gets its own neighbours, as they are now.
    """
    for path in (*folder.glob("*.py"), *folder.glob("*/__init__.py")):
        name = path.parent.name if path.name == "__init__.py" else path.stem
        other = getattr(sys.modules.get(name), "__file__", None)
        if other and _folder_of(Path(other)) in _FOLDERS:
            for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
                del sys.modules[module]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _FOLDERS.add(folder)
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


_FOLDERS: set[Path] = set()  # of the plugin files imported so far


def _folder_of(file: Path) -> Path:
    """The folder on the path from which a module, or a package by its `__init__.py`, was imported."""
    return file.resolve().parents[1 if file.name == "__init__.py" else 0]
