"""README: its Python runs as it stands, and its tables name what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from partbench import load_results
from partbench.opening import Workbench
from partbench.registry import KINDS, load

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text()


def python_of(text: str) -> str:
    """The first of the two blocks of Python in README; test_results_page.py runs the second."""
    script, _ = re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)
    return script


def executed(words: list[str], folder: Path, cache: Path, given: str | None = None) -> str:
    """What Python prints, run in `folder` with this cache folder."""
    environment = {**os.environ, "PARTBENCH_CACHE": str(cache)}
    result = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, input=given, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """README's Python as a script without `if __name__ == "__main__"`, on a cold cache: folder, cache, output."""
    folder, cache = tmp_path_factory.mktemp("script"), tmp_path_factory.mktemp("cold")
    (folder / "script.py").write_text(python_of(README))
    return folder, cache, executed(["script.py"], folder, cache)


def test_the_python_of_the_readme_has_ten_lines() -> None:
    assert len(list(filter(None, python_of(README).splitlines()))) == 10


def test_the_python_of_the_readme_runs_as_a_bare_script_on_a_cold_cache(scripted: tuple[Path, Path, str]) -> None:
    folder, _, output = scripted
    rows = load_results(folder / "results")
    assert output.startswith("torch.Size([2, 1, 16, 16])\n")
    assert set(rows["explainer"]) == {"mean_map", "centre_map"}
    scored = rows[(rows["explainer"] == "mean_map") & (rows["status"] == "ok")]
    assert {"locality", "location_instability"} <= set(scored["metric"])
    assert scored["value"].between(scored["low_bound"].fillna(-1e9), scored["high_bound"].fillna(1e9)).all()


def test_the_python_of_the_readme_runs_where_its_code_is_in_no_file(
    scripted: tuple[Path, Path, str], tmp_path: Path
) -> None:
    """As in a notebook."""
    folder, cache, _ = scripted
    executed(["-"], tmp_path, cache, given=python_of(README))
    names, values = ["explainer", "metric"], ["value", "status"]
    here, there = (
        load_results(place / "results").set_index(names)[values].sort_index() for place in (tmp_path, folder)
    )
    assert here.equals(there)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_of_the_readme_name_every_plugin(kind: str) -> None:
    """Of those that come with partbench; others may be installed beside it."""
    ours = [name for name, entry in getattr(load(), kind).items() if entry.distribution == "partbench"]
    assert ours
    assert [name for name in ours if f"`{name}`" not in README] == []


def test_the_tasks_of_the_readme_exist() -> None:
    names = re.findall(r"(?:`|--task '?)((?:fauna|celeba|animal_part)/[^`' ]+)", README)
    workbench = Workbench(load())
    assert len(names) > 5
    for name in names:
        workbench.expand([name.removesuffix("@resnet18_fauna")])  # that network does not come with the package
