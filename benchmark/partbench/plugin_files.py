"""Plugins in files that users name: imported by path, with the files beside them."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType

from partbench import hookspecs
from partbench.errors import InputError, reason_of

LONGEST_PATH = 200  # characters of a path that are shown where no file can have it


def import_file(path: Path) -> ModuleType:
    """Import a plugin from a .py file; it may import the modules beside it, as a script may.

    `from .mylib import x` works too, and in a file of a package also what it imports from its package, by relative
    imports or by name. Files of one name in different folders are different modules. Modules beside the file take the
    place of modules of installed plugins, so that a working copy runs with its own. Raises InputError if the file is
    not there or fails to import.
    """
    path = existing(path)
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    top = f"partbench_file_{place}"
    _forget(top)  # the file and those beside it may have changed since
    try:
        with _neighbours(path):
            return _imported(path, top, f"{path.stem}_{place}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a file may call sys.exit
        _forget(top)
        raise InputError(f"plugin file {path} is broken: {reason_of(error)}") from error


def existing(path: Path) -> Path:
    """The absolute path of a plugin file.

    Raises InputError if there is no such file, with the nearest name beside it, or if it cannot be read.
    """
    path = absolute(path)
    try:
        if path.is_file() and path.suffix == ".py":
            path.open("rb").close()
            return path
        beside = [file.name for file in path.parent.glob("*.py")]
        in_project = (path.parent / path.stem / path.name).is_file()  # a folder as `bench new` makes it
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    if path.exists():
        kind = "a folder" if path.is_dir() else "a file of another kind"
        raise InputError(f"no plugin file {path}: it is {kind}; expected a Python file with a register_... hook")
    near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.75)
    near = [f"{path.stem}/{path.name}"] if in_project else near
    hint = f"did you mean '{near[0]}'?" if near else "expected a Python file with a register_... hook"
    raise InputError(f"no plugin file {path}; {hint}")


def absolute(path: Path) -> Path:
    """The absolute path, with `~` and symbolic links followed. Raises InputError where that is not possible."""
    try:
        found = path.expanduser().resolve()
        found.exists()  # raises where the name is too long
        return found
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL, a user who is not there
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> InputError:
    text = str(path)
    shown = text if len(text) <= LONGEST_PATH else f"{text[:LONGEST_PATH]}..."
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(f"plugin file {shown} cannot be read: {reason}")


def digest(path: Path) -> str:
    """What stands for the version of a plugin file."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def packages_of(path: Path) -> list[Path]:
    """The folders of the packages that a file lies in, outermost first; none for a file outside of packages."""
    found: list[Path] = []
    for folder in path.parents:
        if not (folder / "__init__.py").is_file():
            break
        found.insert(0, folder)
    return found


class _AsItIs(importlib.machinery.SourceFileLoader):
    """Runs a file as it is now: bytecode kept beside it may be of other code of the same second and length."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _imported(path: Path, top: str, own: str) -> ModuleType:
    """The module of a file, as `own` in a package that holds the files beside it; the outermost one is called `top`."""
    folders = packages_of(path) or [path.parent]
    names = [".".join([top, *(folder.name for folder in folders[1 : depth + 1])]) for depth in range(len(folders))]
    for name, folder in zip(names, folders, strict=True):
        _import_package(name, folder)
    name = f"{names[-1]}.{own}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsItIs(name, str(path)))
    assert spec is not None
    module = _module(spec)
    sys.modules[f"{names[-1]}.{path.stem}"] = module  # as the files beside it call it
    _execute(spec, module)
    return module


def _import_package(name: str, folder: Path) -> None:
    """A folder as a package of that name, with what its `__init__.py` says where it has one."""
    init = folder / "__init__.py"
    if init.is_file():
        loader = _AsItIs(name, str(init))
        spec = importlib.util.spec_from_file_location(
            name, init, loader=loader, submodule_search_locations=[str(folder)]
        )
    else:
        spec = importlib.util.spec_from_loader(name, None, is_package=True)
    assert spec is not None
    module = _module(spec)
    module.__path__ = [str(folder)]
    _execute(spec, module)


def _module(spec: importlib.machinery.ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    return module


def _execute(spec: importlib.machinery.ModuleSpec, module: ModuleType) -> None:
    if spec.loader is not None:
        spec.loader.exec_module(module)


@contextmanager
def _neighbours(path: Path) -> Iterator[None]:
    """The folder of a file comes first on the path while it is imported, and stays last for imports inside functions.

    So does the folder that holds its package. Modules of these names that came from beside another plugin file, or
    from an installed plugin, are forgotten: each file gets its own neighbours, as they are now. Those that the file
    does not import are as before afterwards.
    """
    packages = packages_of(path)
    folders = [path.parent, *(folder.parent for folder in packages[:1])]
    hidden = _hide({name for folder in folders for name in _names_in(folder)})
    _FOLDERS.update(folder for folder in folders if str(folder) not in sys.path)  # not where libraries lie
    sys.path[:0] = map(str, folders)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(str(folder))
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
        again = {name.partition(".")[0] for name in hidden if name in sys.modules}
        sys.modules.update({name: old for name, old in hidden.items() if name.partition(".")[0] not in again})


_FOLDERS: set[Path] = set()  # of the plugin files imported so far


def _names_in(folder: Path) -> set[str]:
    """Modules and packages that a folder holds."""
    return {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}


def _hide(names: set[str]) -> dict[str, ModuleType]:
    """Forget modules of these names that belong to plugins, with their submodules, and return those."""
    ours = _installed_modules()
    hidden: dict[str, ModuleType] = {}
    for name in names & sys.modules.keys():
        file = getattr(sys.modules[name], "__file__", None)
        if name in ours or (file and _folder_of(Path(file)) in _FOLDERS):
            hidden |= _forget(name)
    return hidden


def _forget(name: str) -> dict[str, ModuleType]:
    """Forget a module and its submodules, and return them."""
    return {each: sys.modules.pop(each) for each in list(sys.modules) if each == name or each.startswith(f"{name}.")}


def _installed_modules() -> set[str]:
    """Names of the top-level modules of installed third-party plugins and of their distributions."""
    names = set()
    for point in hookspecs.entry_points():
        names.add(point.value.partition(":")[0].partition(".")[0])
        for file in (point.dist and point.dist.files) or ():
            if file.suffix == ".py":
                names.add(Path(file.parts[0]).stem)
    return names


def _folder_of(file: Path) -> Path:
    """The folder on the path from which a module, or a package by its `__init__.py`, was imported."""
    return file.resolve().parents[1 if file.name == "__init__.py" else 0]
