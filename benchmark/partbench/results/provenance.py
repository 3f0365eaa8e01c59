"""Where results come from: the commit of the source, the machine, who and when, and digests of files and code."""

from __future__ import annotations

import ast
import contextlib
import datetime
import functools
import getpass
import hashlib
import importlib.metadata
import importlib.util
import itertools
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

TIME = "%Y-%m-%dT%H:%M:%SZ"  # how times in UTC are written
_DIGITS = 16
_CORE = "partbench"
_SOURCE = Path(__file__).resolve().parents[1]
_DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@functools.cache
def source_commit() -> str:
    """The git commit of the source tree that partbench runs from, with `+dirty` where source files differ from it.

    "" where partbench is installed without its git history. Read once in a process.
    """
    return commit_of(_SOURCE)


def commit_of(package: Path) -> str:
    """The commit of the working tree that tracks a package's `__init__.py`, with `+dirty` where its source differs.

    Source is every file of the package and every Python file of the tree; results, pages and pictures are not. "" where
    no working tree tracks the package, so that the history of a project that has it installed is not mistaken for it.
    """
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return ""
    commit = _git(package, "rev-parse", "HEAD")
    changed = _git(package, "status", "--porcelain", "--", ".", ":(top,glob)**/*.py")
    return f"{commit}{'+dirty' if changed else ''}" if commit and changed is not None else ""


def host() -> str:
    """The host name of this machine; "" if it has none."""
    return platform.node()


def who() -> str:
    """Who runs this command: the name and address that git knows, or else the name of the login."""
    try:
        asked = ["git", "var", "GIT_AUTHOR_IDENT"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout
        return found.rpartition(">")[0] + ">"
    except (OSError, subprocess.SubprocessError):
        with contextlib.suppress(OSError, KeyError, ImportError):
            return getpass.getuser()
    return "unknown"


def now() -> str:
    """The time in UTC, to the second, as `TIME` has it."""
    return datetime.datetime.now(datetime.UTC).strftime(TIME)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(module: str) -> str:
    """16 hex digits of the code that a plugin's module is made of, whatever its comments, docstrings and layout.

    SHA-256 over the syntax trees of the module and of the modules that it imports from its own distribution, but for
    the core of partbench, transitively; of a plugin given by file, from the files beside it. Imports are found in the
    syntax trees (wherever they stand but under `if TYPE_CHECKING`), so nothing is executed but what finding the module
    itself needs. Compiled modules and data files do not enter. The same on all Python versions that can parse the code;
    "" for a module without a Python source file.
    """
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return ""
    return _digest_of(_reachable(spec.name, Path(spec.origin)))


def file_digest(file: Path) -> str:
    """`digest` of a plugin given by file, which is not imported. Raises SyntaxError for what is no Python."""
    return _digest_of(_reachable("", file))


def _digest_of(trees: Mapping[str, ast.Module]) -> str:
    code = "\n".join(f"{name} {_text(trees[name])}" for name in sorted(trees))
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def beside(file: Path) -> list[str]:
    """Names of the modules beside a plugin file that it imports, however indirectly."""
    return sorted(_reachable("", file).keys() - {_name_by_hand(file)})


def sources(file: Path) -> dict[str, Path]:
    """The source files of a plugin given by file: itself, and what `beside` names.

    By their place in its folder or, for a file of a package, in the folder of the outermost package. Packages come with
    their `__init__.py` and those of the packages that they lie in.
    """
    root, found = file.parents[len(_packages(file))], [file]
    for name in (_name_by_hand(file), *beside(file)):
        parts = name.split(".")
        above = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
        found += filter(None, (_source(folder, part) for folder in (file.parent, root) for part in above))
    return {path.relative_to(root).as_posix(): path for path in sorted(set(found))}


def _git(folder: Path, *words: str) -> str | None:
    """What git prints about the tree that a folder is in; None if it fails or is not installed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    run = functools.partial(subprocess.run, capture_output=True, text=True, timeout=20, env=environment, check=True)
    try:
        return str(run(["git", "-C", str(folder), *words]).stdout).strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _reachable(name: str, path: Path) -> dict[str, ast.Module]:
    """Syntax trees by name of a module and of all that it imports from the same place."""
    package = path.name == "__init__.py"
    by_hand = not package and path.stem != name.rpartition(".")[2]  # a file loaded under another name than its own
    if by_hand:
        name, folders = _name_by_hand(path), [path.parent, path.parents[len(_packages(path))]]
    else:
        folders = [path.parents[name.count(".") + package]]  # of the top-level package
    found: dict[str, ast.Module] = {}
    waiting = [(name, path)]
    top = name.partition(".")[0]
    while waiting:
        name, path = waiting.pop()
        if name in found:
            continue
        found[name] = _parsed(path, path.stat().st_mtime_ns)
        for wanted in _imported(found[name], name if path.name == "__init__.py" else name.rpartition(".")[0]):
            if by_hand or _is_beside(wanted.partition(".")[0], top, folders[0]):
                waiting += [(wanted, place) for folder in folders[::-1] if (place := _source(folder, wanted))][:1]
    return found


def _name_by_hand(path: Path) -> str:
    """What a plugin file is called as a module: its name, after those of the packages that it lies in."""
    return ".".join([*_packages(path), path.stem])


def _packages(path: Path) -> list[str]:
    """Names of the packages that a file lies in, outermost first."""
    folders = itertools.takewhile(lambda folder: (folder / "__init__.py").is_file(), path.parents)
    return [folder.name for folder in folders][::-1]


@functools.lru_cache(maxsize=256)
def _parsed(path: Path, written: int) -> ast.Module:
    """The syntax tree of a file that was written at this time (ns); never changed by whoever gets it."""
    return ast.parse(path.read_bytes())


def _is_beside(name: str, top: str, folder: Path) -> bool:
    """Whether a top-level module is of the distribution of `top`; in a source tree, whether it lies in its folder."""
    if name in (top, _CORE):
        return name == top
    return not any(folder.glob("*.dist-info")) or bool(_distributions(name) & _distributions(top))


def _distributions(top: str) -> set[str]:
    return set(_installed().get(top, ()))


@functools.cache
def _installed() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Names of modules that a tree imports; `from a import b` may be of `a.b` and is of `a`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join(filter(None, [*parts, node.module]))
            yield from (name for alias in node.names for name in (f"{base}.{alias.name}".lstrip("."), base))
        yield from _imported(node, package)


def _source(folder: Path, name: str) -> Path | None:
    if not name:
        return None
    stem = folder.joinpath(*name.split("."))
    candidates = (stem / "__init__.py", stem.with_name(f"{stem.name}.py"))
    return next((path for path in candidates if path.is_file()), None)


@functools.lru_cache(maxsize=256)
def _text(tree: ast.Module) -> str:
    return _canonical(tree)


def _canonical(node: object) -> str:
    """A syntax tree as text, without docstrings and without fields that are empty (they differ between versions)."""
    if isinstance(node, list):
        return f"[{','.join(map(_canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []]
    if isinstance(node, _DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
        fields = [(name, value[1:] if name == "body" else value) for name, value in fields]
    return f"{type(node).__name__}({','.join(f'{name}={_canonical(value)}' for name, value in fields)})"
