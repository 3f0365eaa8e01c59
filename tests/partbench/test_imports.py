"""Imports point one way (design, section 1), and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmark" / "partbench"
PLUGINS = Path(__file__).resolve().parents[2] / "plugins" / "partbench_plugins"

PLUGIN_FOLDERS = ("metrics", "datasets", "performers")
LOW = ("types", "performer", "task", "activations", "errors", "statistics", "nn", "attribution")
HIGH = ("cli", "console", "campaign", "leaderboard", "results", "runner", "registry", "workbench", "checks", "pictures")
HIGH += ("filter_activity",)


def imported(path: Path) -> set[str]:
    """Modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "partbench" else set()
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("path", [p for f in PLUGIN_FOLDERS for p in files(BENCHMARK / f)], ids=lambda p: p.stem)
def test_metrics_datasets_and_performers_use_only_what_the_package_exports(path: Path) -> None:
    own = "partbench." + path.relative_to(BENCHMARK).parts[0]
    foreign = {name for name in imported(path) if name.startswith("partbench.")}
    exported = exports()
    assert not {n for n in foreign if not n.startswith(own) and n.removeprefix("partbench.") not in exported}


@pytest.mark.parametrize("path", files(PLUGINS), ids=lambda p: p.stem)
def test_first_party_explainers_use_only_what_the_package_exports(path: Path) -> None:
    foreign = {name.removeprefix("partbench.") for name in imported(path) if name.startswith("partbench.")}
    assert foreign <= exports()


@pytest.mark.parametrize("module", LOW)
def test_the_nouns_do_not_know_the_machinery(module: str) -> None:
    path = BENCHMARK / f"{module}.py"
    for source in [path] if path.exists() else files(BENCHMARK / module):
        assert not {n for n in imported(source) if n.removeprefix("partbench.").split(".")[0] in HIGH and "." in n}


@pytest.mark.parametrize("statement", ["import partbench", "import partbench.cli", "import partbench.leaderboard"])
def test_torch_is_not_imported_by(statement: str) -> None:
    code = f"{statement}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def exports() -> set[str]:
    import partbench

    return set(partbench.__all__)
