"""The example plugin, installed by pip as its users would, is found, keeps the contract and is small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "partbench-saliency"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that sees the installed example."""
    target = tmp_path_factory.mktemp("site")
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    result = subprocess.run([sys.executable, "-m", "pip", *words, str(EXAMPLE)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return {**os.environ, "PYTHONPATH": str(target)}


def python(code: str, environment: dict[str, str]) -> str:
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_bench_list_shows_it_with_its_owner(installed: dict[str, str]) -> None:
    code = "from partbench.cli.main import main; main(['list', 'explainers', '--json'])"
    rows = {row["name"]: row for row in json.loads(python(code, installed))["explainers"]}
    assert rows["saliency"]["owner"] == "partbench-saliency 0.1.0"


def test_it_keeps_the_contract(installed: dict[str, str]) -> None:
    python(
        "from partbench.testing import check_explainer; from partbench.registry import load\n"
        "from partbench.opening import Workbench\n"
        "registry = load()\n"
        "check_explainer(registry.explainers['saliency'].cls, Workbench(registry).task('fauna/multi:dog'))",
        installed,
    )


def test_it_is_one_file_under_sixty_lines() -> None:
    (source,) = EXAMPLE.glob("*.py")
    assert len(source.read_text().splitlines()) < 60
