"""Where in a plugin's code something is: the line that an exception came from, or that declares a method or a field."""

from __future__ import annotations

import ast
import inspect
import sys
import traceback
from pathlib import Path
from typing import NamedTuple

from partbench.advice import causes

OURS = str(Path(__file__).resolve().parents[1])


class SourceLine(NamedTuple):
    """A line of a file, from 1, and the function or class that it is in; `name` is "" where that is not known."""

    file: str
    line: int
    name: str = ""

    def __str__(self) -> str:
        within = f", in {self.name}" if self.name else ""
        return f"{self.file}, line {self.line}{within}"


def raised_at(error: BaseException, cls: type) -> SourceLine | None:
    """The innermost line of the plugin of `cls` in the traceback of an exception, or of those that led to it."""
    folder = home(cls)
    return None if folder is None else raised_in(error, folder)


def raised_in(error: BaseException, folder: Path) -> SourceLine | None:
    """The same of any code in a folder."""
    for one in causes(error):
        frames = [frame for frame in traceback.extract_tb(one.__traceback__) if inside(frame.filename, folder)]
        if frames:
            return SourceLine(frames[-1].filename, frames[-1].lineno or 1, frames[-1].name)
        if isinstance(one, SyntaxError) and one.filename and inside(one.filename, folder):
            return SourceLine(one.filename, one.lineno or 1)
    return None


def home(cls: type) -> Path | None:
    """The folder of a plugin's code: of its package, or of its file; None for a class without a file."""
    file = file_of(cls)
    if file is None:
        return None
    package = sys.modules.get(cls.__module__.partition(".")[0])
    top = getattr(package, "__file__", None)
    if top and Path(top).name == "__init__.py" and not str(file).startswith(OURS):
        return Path(top).resolve().parent
    return file.parent


def inside(file: str, folder: Path) -> bool:
    """Whether a file lies in a folder of a plugin and is none of the libraries installed there."""
    path = Path(file)
    ours = str(folder).startswith(OURS)
    return path.is_relative_to(folder) and (ours or not str(path).startswith(OURS)) and ".venv" not in path.parts


def file_of(cls: type) -> Path | None:
    """The file that defines a class; None if there is none."""
    found = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return Path(found).resolve() if found else None


def declared_at(cls: type, name: str = "") -> SourceLine | None:
    """Where a class, or one of the classes of its own folder that it derives from, declares or sets `name`.

    Of a method with one `return` it is the line of that. Where nothing declares it, the line of the class. None
    for classes without source.
    """
    for base in inspect.getmro(cls) if name else ():
        if found := _declared(cls, base, name):
            return found
    node, file = _definition(cls), file_of(cls)
    return None if node is None or file is None else SourceLine(str(file), node.lineno, f"class {cls.__name__}")


def neighbours(cls: type, base: type) -> list[type]:
    """The other classes of the module of a class that derive from `base`, such as the splits of a dataset."""
    known = vars(sys.modules.get(cls.__module__, object())) if cls.__module__ in sys.modules else {}
    classes = [each for each in known.values() if isinstance(each, type) and issubclass(each, base)]
    return [each for each in classes if each.__module__ == cls.__module__ and each is not cls]


def _declared(cls: type, base: type, name: str) -> SourceLine | None:
    folder, file = home(cls), file_of(base)
    definition = _definition(base)
    if folder is None or file is None or definition is None or not inside(str(file), folder):
        return None
    for node in definition.body:
        if name in _names(node):
            return SourceLine(str(file), _line(node), name)
    for each in ast.walk(definition):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and each.attr == name:
            return SourceLine(str(file), each.lineno, f"{base.__name__}, {name}")
    return None


def _definition(cls: type) -> ast.ClassDef | None:
    file = file_of(cls)
    try:
        tree = ast.parse(file.read_text(encoding="utf-8")) if file else ast.Module([], [])
    except (OSError, ValueError, SyntaxError):
        return None
    found = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    return next(found, None)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _line(node: ast.stmt) -> int:
    returns = [each for each in ast.walk(node) if isinstance(each, ast.Return)]
    return returns[0].lineno if len(returns) == 1 else node.lineno
