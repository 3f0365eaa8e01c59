"""Imports run one way, file by file; nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ROOTS = {"partbench": REPOSITORY / "benchmark", "partbench_plugins": REPOSITORY / "plugins"}

BOTTOM = {
    "cache", "data_folders", "errors", "names", "options", "option_types", "option_docs", "nn", "attribution",
    "functional", "task_globs", "imported", "advice", "whole_files", "freed_memory", "performer_folder", "task_name",
}  # fmt: skip
NOUNS = {
    "task",
    "training_task",
    "performer",
    "activations",
    "weight_cache",
    "attribute_view",
    "category_view",
    "reading",
    "half_stored",
}
FLOORS: list[set[str]] = [
    {"cli"}, {"testing"}, {"running"}, {"pictures"}, {"opening"}, {"catalogue"}, {"registry"}, {"plugin_files"},
    {"hookspecs", "declaration"} | NOUNS, {"plugin"}, {"types"},
]  # fmt: skip
# Room by room, what its files may import beside their own room.
ALLOWED: dict[str, set[str]] = {
    "advice": set(),
    "errors": set(),
    "freed_memory": set(),
    "names": set(),
    "imported": set(),
    "performer_folder": set(),
    "task_globs": {"names"},
    "task_name": {"errors", "names"},
    "cache": {"errors"},
    "whole_files": {"errors"},
    "data_folders": {"errors", "whole_files"},
    "options": {"advice", "errors", "option_types"},
    "option_types": set(),
    "option_docs": set(),
    "nn": {"errors"},
    "attribution": {"errors", "nn"},
    "functional": {"nn", "types"},
    "results": {"errors", "names", "performer_folder", "whole_files"},
    "leaderboard": {
        "errors",
        "freed_memory",
        "names",
        "results",
        "functional.statistics",
        "task_globs",
        "whole_files",
    },
}
for _place, _floor in enumerate(FLOORS):
    _below = BOTTOM.union(*FLOORS[_place + 1 :])
    ALLOWED |= {room: _below | (NOUNS if room in NOUNS else set()) for room in _floor}
ALLOWED["types"] = {"advice", "errors", "nn"}
ALLOWED["running"] |= {"results", "performers.weight_digest"}  # checkpoints are hashed as weights are
ALLOWED["opening"] |= {"datasets.random_photographs"}  # no plugin: the user's own folder, read as datasets read theirs
# Short forms are written on the base classes; they read and normalise images and hash weights as plugins here do.
ALLOWED["short_forms"] = BOTTOM | NOUNS | {"declaration", "plugin", "types", "datasets.photograph"}
ALLOWED["short_forms"] |= {"performers.normalise", "performers.weight_digest"}
ALLOWED["cli"] |= {"results", "leaderboard"}
OF_PERFORMERS = ("partbench.datasets.matlab.", "partbench.performer_folder")  # weights in .mat files; names of files
PLUGIN_ROOMS = ("metrics", "datasets", "performers")


def module_of(path: Path) -> str:
    root = next(root for root in ROOTS.values() if path.is_relative_to(root))
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_of(path): path for name, root in ROOTS.items() for path in sorted((root / name).rglob("*.py"))}


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from at_run_time(node)


def imported(module: str) -> set[str]:
    """Modules of the project, and names of the door (`partbench.Batch`), that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in at_run_time(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            near = module.split(".")[: -node.level] if node.level else []
            found |= {".".join([*near, *filter(None, [node.module]), alias.name]) for alias in node.names}
    ours = {name for name in found if name.partition(".")[0] in ROOTS} - {"partbench.__version__"}
    return {name if name in FILES or door(name) else name.rpartition(".")[0] for name in ours}


def door(name: str) -> bool:
    """Whether it is a name that `partbench` itself exports."""
    import partbench

    return name.count(".") == 1 and name.removeprefix("partbench.") in partbench.__all__


def room(module: str) -> str:
    return module.split(".")[1]


CORE = [m for m in FILES if m.startswith("partbench.") and room(m) not in (*PLUGIN_ROOMS, "__main__")]


@pytest.mark.parametrize("module", CORE)
def test_a_file_of_the_core_imports_only_from_below(module: str) -> None:
    for other in imported(module) - {"partbench"}:
        assert not door(other) or not other.startswith("partbench."), f"{module} imports {other} through the door"
        if room(other) == room(module):
            continue
        reached = {room(other), ".".join(other.split(".")[1:3])}
        assert reached & ALLOWED[room(module)], f"{module} imports {other}"


@pytest.mark.parametrize("module", [m for m in FILES if m.startswith("partbench.") and room(m) in PLUGIN_ROOMS])
def test_metrics_datasets_and_performers_use_the_door_functional_and_their_own_room(module: str) -> None:
    for other in imported(module):
        own = other.startswith(f"partbench.{room(module)}.")
        files = room(module) == "performers" and other.startswith(OF_PERFORMERS)
        allowed = own or files or door(other) or other.startswith("partbench.functional")
        assert allowed, f"{module} imports {other}"


@pytest.mark.parametrize("module", [m for m in FILES if m.startswith("partbench_plugins")])
def test_first_party_explainers_use_the_door_functional_and_each_other(module: str) -> None:
    for other in imported(module) - {"partbench"}:
        ours = other.startswith(("partbench_plugins", "partbench.functional"))
        assert ours or door(other), f"{module} imports {other}"


def test_no_imports_go_round_in_a_circle() -> None:
    graph = {module: imported(module) & set(FILES) - {module} for module in FILES}
    list(TopologicalSorter(graph).static_order())


def test_dask_is_imported_only_where_a_run_on_a_cluster_needs_it() -> None:
    importing = set()
    for module, path in FILES.items():
        nodes = [node for node in at_run_time(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        importing |= {module for node in nodes if str(node.module).partition(".")[0] in ("dask", "distributed")}
        plain = [node for node in at_run_time(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
        importing |= {
            module for node in plain for alias in node.names if alias.name.startswith(("dask", "distributed"))
        }
    assert importing == {"partbench.running.dask_task"}


def test_a_planted_import_is_seen() -> None:
    tree = ast.parse("if TYPE_CHECKING:\n    import a\ndef f():\n    from partbench.cli import main\n")
    assert [type(node).__name__ for node in at_run_time(tree)].count("ImportFrom") == 1
    assert "Import" not in {type(node).__name__ for node in at_run_time(tree)}


@pytest.mark.parametrize(
    "statement",
    [
        "import partbench", "import partbench.cli.main", "import partbench.catalogue",
        "import partbench.leaderboard.site.build", "import partbench.leaderboard.build",
        "import partbench.results.store", "import partbench.results.provenance",
        "import partbench.functional.statistics", "from partbench import load_results",
    ],
)  # fmt: skip
def test_torch_is_not_imported_by(statement: str) -> None:
    code = f"{statement}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_name_of_the_door_can_be_imported() -> None:
    import partbench

    for name in partbench.__all__:
        assert getattr(partbench, name) is not None


def test_every_module_is_importable_by_name() -> None:
    assert all(importlib.util.find_spec(module) for module in FILES)
