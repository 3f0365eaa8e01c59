"""The examples, built, installed by pip as their users would, run and uninstalled, in one fresh environment."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*/pyproject.toml"))
KINDS = {
    "partbench-saliency": ("explainers", ["saliency"]),
    "partbench-nmf": ("explainers", ["nmf"]),
    "partbench-topk-sae": ("explainers", ["topk_sae"]),
    "partbench-deletion": ("metrics", ["deletion", "pointing_game"]),
    "partbench-flowers": ("datasets", ["flowers"]),
    "partbench-tiny-cnn": ("performers", ["tiny_cnn"]),
}
LONGEST = 120  # lines of the one module of an example


def run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


class Environment:
    """A fresh virtual environment that sees what this one has installed."""

    def __init__(self, folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        self.python = folder / "bin" / "python"
        (site,) = folder.glob("lib/python*/site-packages")
        seen = [path for path in sys.path if path.endswith("-packages")]
        (site / "seen.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in seen))

    def pip(self, *words: str | Path) -> None:
        run(sys.executable, "-m", "pip", "--quiet", "--python", self.python, *words)

    def bench(self, *words: str | Path) -> str:
        return run(self.python, "-m", "partbench", *words)

    def listed(self) -> dict[str, dict[str, str]]:
        """The owner of each plugin by kind and name."""
        found = json.loads(self.bench("list", "--json"))
        kinds = ("explainers", "metrics", "datasets", "performers")
        return {kind: {row["name"]: row["owner"] for row in found[kind]} for kind in kinds}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """With all examples installed from wheels."""
    made = Environment(tmp_path_factory.mktemp("environment"))
    wheels = tmp_path_factory.mktemp("wheels")
    folders = [file.parent for file in EXAMPLES]
    offline = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", wheels, *folders)
    made.pip("install", "--no-deps", "--no-index", *sorted(wheels.glob("*.whl")))
    return made


def test_every_example_is_tested() -> None:
    assert {file.parent.name for file in EXAMPLES} == KINDS.keys()


def test_installed_examples_are_run_and_uninstalled(environment: Environment, tmp_path: Path) -> None:
    listed = environment.listed()
    for distribution, (kind, names) in KINDS.items():
        assert {name: listed[kind].get(name) for name in names} == dict.fromkeys(names, f"{distribution} 0.1.0")

    asked = ("run", "--plugin", "nmf", "--plugin", "saliency", "--task", "flowers/multi:daisy", "-o", "concepts=3")
    kept = ("--jobs", "1", "--no-pictures", "--results", tmp_path / "results")
    rows = json.loads(environment.bench(*asked, *kept, "--json"))
    assert {(row["explainer"], row["distribution"]) for row in rows} == {
        ("nmf", "partbench-nmf"), ("saliency", "partbench-saliency"),
    }  # fmt: skip
    assert {row["performer"] for row in rows} == {"tiny_cnn"}
    own = {(row["explainer"], row["metric"]): row for row in rows if row["metric"] in ("pointing_game", "deletion")}
    assert len(own) == 4
    assert all(row["status"] == "ok" for row in own.values())

    environment.pip("uninstall", "--yes", *KINDS)
    ask = "from importlib.metadata import entry_points; print([e.dist.name for e in entry_points(group='partbench')])"
    assert not KINDS.keys() & set(ast.literal_eval(run(environment.python, "-c", ask)))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_an_example_is_one_short_module_with_tests_and_a_readme(file: Path) -> None:
    project = tomllib.loads(file.read_text())["project"]
    (module,) = project["entry-points"]["partbench"].values()
    source = (file.parent / f"{module}.py").read_text().splitlines()
    assert len(source) <= LONGEST
    assert (file.parent / f"test_{module}.py").is_file()
    assert f"# {project['name']}" in (file.parent / "README.md").read_text()


@pytest.mark.soak
def test_the_tests_of_the_examples_pass(tmp_path: Path) -> None:
    folders = [str(file.parent) for file in EXAMPLES]
    made = Environment(tmp_path)
    made.pip("install", "--no-deps", "--no-build-isolation", "--no-index", *folders)
    quiet = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--import-mode=importlib")
    run(made.python, "-m", "pytest", *quiet, *folders)
