from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from partbench.results import provenance
from partbench.results.provenance import beside, commit_of, digest, host, source_commit

MODULE = """
import math
from typing import TYPE_CHECKING
from . import near
from {name}.inner.deep import f

if TYPE_CHECKING:
    from . import only_types


class Explainer:
    def explain(self):
        return near.g() + f()
"""
FILES = {
    "near.py": "def g():\n    from . import lazily\n    return lazily.X\n",
    "lazily.py": "X = 1\n",
    "only_types.py": "Y = 1\n",
    "unrelated.py": "Z = 1\n",
    "inner/__init__.py": "",
    "inner/deep.py": "from ..up import h\ndef f():\n    return h\n",
    "up.py": "h = 2\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package whose module `plugin` imports `near`, `lazily`, `inner.deep` and `up` of its own."""
    name = f"planted_{abs(hash(tmp_path))}"
    folder = tmp_path / name
    for path, text in {"__init__.py": "", "plugin.py": MODULE.format(name=name), **FILES}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def of(package: Path) -> str:
    return digest(f"{package.name}.plugin")


@pytest.mark.parametrize("path", ["plugin.py", "near.py", "lazily.py", "inner/deep.py", "up.py"])
def test_the_digest_changes_with_every_module_that_is_imported_from_the_same_package(package: Path, path: str) -> None:
    before = of(package)
    (package / path).write_text((package / path).read_text() + "\nCHANGED = 1\n")
    assert of(package) != before


@pytest.mark.parametrize("path", ["unrelated.py", "only_types.py"])
def test_the_digest_does_not_change_with_other_modules(package: Path, path: str) -> None:
    before = of(package)
    (package / path).write_text("CHANGED = 1\n")
    assert of(package) == before


def test_comments_docstrings_and_layout_do_not_enter(package: Path) -> None:
    before = of(package)
    near = '"""What it is."""\n\n\ndef g():  # a reason\n    """What."""\n'
    near += "    from . import lazily\n\n    return (lazily.X)"
    (package / "near.py").write_text(near)
    assert of(package) == before
    (package / "near.py").write_text(near.replace("lazily.X", "lazily.X, 'text'"))
    assert of(package) != before


def test_strings_that_are_no_docstrings_enter(package: Path) -> None:
    (package / "up.py").write_text("h = 'one'\n")
    before = of(package)
    (package / "up.py").write_text("h = 'two'\n")
    assert of(package) != before


def test_a_digest_does_not_depend_on_where_the_package_lies(package: Path, tmp_path: Path) -> None:
    before = of(package)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    package.rename(elsewhere / package.name)
    code = f"from partbench.results.provenance import digest; print(digest('{package.name}.plugin'))"
    found = subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, '{elsewhere}'); {code}"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert found.stdout.strip() == before
    assert len(before) == 16


def test_of_a_plugin_given_by_file_the_files_beside_it_enter(tmp_path: Path) -> None:
    from partbench.registry import import_file

    (tmp_path / "mine.py").write_text("def later():\n    import beside\n    import math\n")
    (tmp_path / "beside.py").write_text("X = 1\n")
    (tmp_path / "other.py").write_text("X = 1\n")
    name = import_file(tmp_path / "mine.py").__name__
    before = digest(name)
    (tmp_path / "other.py").write_text("X = 2\n")
    assert digest(name) == before != ""
    (tmp_path / "beside.py").write_text("X = 2\n")
    assert digest(name) != before


def test_of_a_plugin_given_by_file_what_it_imports_of_its_package_enters(tmp_path: Path) -> None:
    from partbench.plugin_files import import_file

    package = tmp_path / "some_package"
    (package / "sub").mkdir(parents=True)
    texts = {"near.py": "X = 1\n", "sub/mine.py": "from ..near import X\nfrom some_package import far\n"}
    for name in ("__init__.py", "sub/__init__.py", "far.py", "other.py"):
        texts[name] = "X = 1\n"
    for name, text in texts.items():
        (package / name).write_text(text)
    module = import_file(package / "sub" / "mine.py").__name__
    before = digest(module)
    (package / "other.py").write_text("X = 2\n")
    assert digest(module) == before
    for name in ("near.py", "far.py"):
        (package / name).write_text("X = 2\n")
        assert digest(module) != before
        (package / name).write_text("X = 1\n")
    assert beside(package / "sub" / "mine.py") == ["some_package", "some_package.far", "some_package.near"]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A folder on the path with two single modules, of which one imports the other; the name of the first."""
    name = f"single_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(f"import {name}_beside\nimport {name}_foreign\n")
    for other in ("beside", "foreign"):
        (tmp_path / f"{name}_{other}.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path, name


def installed(folder: Path, *distributions: tuple[str, list[str]]) -> None:
    for name, files in distributions:
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.mark.parametrize(("other", "enters"), [("beside", True), ("foreign", False)])
def test_of_an_installed_module_those_of_its_distribution_enter(
    modules: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, other: str, enters: bool
) -> None:
    folder, name = modules
    installed(folder, ("mine", [f"{name}.py", f"{name}_beside.py"]), ("theirs", [f"{name}_foreign.py"]))
    monkeypatch.setattr(provenance, "_installed", importlib.metadata.packages_distributions)
    before = digest(name)
    (folder / f"{name}_{other}.py").write_text("X = 2\n")
    assert (digest(name) != before) == enters


def test_of_a_module_in_a_source_tree_the_modules_beside_it_enter(modules: tuple[Path, str]) -> None:
    folder, name = modules
    before = digest(name)
    (folder / f"{name}_beside.py").write_text("X = 2\n")
    assert digest(name) != before


def test_what_has_no_python_source_has_no_digest() -> None:
    assert digest("math") == ""
    assert digest("no_such_package.module") == ""


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package in a git repository, committed, with results beside it."""
    for name in ("src/pack/__init__.py", "other/plugin.py", "results/a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "all")
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "dirty"),
    [
        ("src/pack/__init__.py", True),
        ("src/pack/weights.pt", True),
        ("other/plugin.py", True),
        ("results/a.txt", False),
    ],
)
def test_the_commit_of_a_tree_says_whether_its_source_differs(tree: Path, changed: str, dirty: bool) -> None:
    assert commit_of(tree / "src" / "pack") == git(tree, "rev-parse", "HEAD")
    (tree / changed).write_text("changed = 1")
    assert commit_of(tree / "src" / "pack").endswith("+dirty") == dirty


def test_an_installed_package_has_not_the_commit_of_the_project_around_it(tree: Path) -> None:
    installed = tree / ".venv" / "pack"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert commit_of(installed) == ""


def test_without_git_there_is_no_commit(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tree))
    assert commit_of(tree / "src" / "pack") == ""


def test_the_source_of_partbench_itself_is_read_once() -> None:
    assert source_commit() is source_commit()
    assert host() == host()


def test_the_digest_of_a_file_is_that_of_the_module_imported_from_it_and_its_sources_are_named(tmp_path):
    from partbench.plugin_files import import_file

    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("X = 1\n")
    (tmp_path / "package" / "inner.py").write_text("Y = 2\n")
    (tmp_path / "near.py").write_text("import package.inner\n")
    (tmp_path / "far.py").write_text("Z = 3\n")
    (tmp_path / "mine.py").write_text("import json\n\nimport near\n")
    module = import_file(tmp_path / "mine.py")
    assert provenance.file_digest(tmp_path / "mine.py") == provenance.digest(module.__name__) != ""
    found = provenance.sources(tmp_path / "mine.py")
    assert sorted(found) == ["mine.py", "near.py", "package/__init__.py", "package/inner.py"]
    assert all(path == tmp_path / place for place, path in found.items())


def test_the_sources_of_a_file_in_a_package_come_with_the_package(tmp_path):
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    for path in (folder.parent / "__init__.py", folder / "__init__.py"):
        path.write_text("")
    (folder / "near.py").write_text("X = 1\n")
    (folder / "mine.py").write_text("from . import near\n")
    (tmp_path / "far.py").write_text("Y = 1\n")
    found = provenance.sources(folder / "mine.py")
    assert set(found) == {"outer/__init__.py", *(f"outer/inner/{n}.py" for n in ("__init__", "near", "mine"))}
