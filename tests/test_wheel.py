"""The wheel: what is installed from it works from any folder, and README shows its pictures on PyPI."""

from __future__ import annotations

import email.message
import json
import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from markdown_it import MarkdownIt

from partbench.registry import FIRST_PARTY, KINDS, load

REPOSITORY = Path(__file__).resolve().parents[1]
PLACES = {
    "src": "https://raw.githubusercontent.com/partbench/partbench/main/",
    "href": "https://github.com/partbench/partbench/blob/main/",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatch_fancy_pypi_readme")
    (built,) = WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path_factory.mktemp("dist")))
    return Path(built)


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as files:
        (name,) = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(files.read(name).decode())


def test_the_installed_wheel_works_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as files:
        files.extractall(site)
    code = """
import json, partbench
from partbench.registry import KINDS, load
from partbench.leaderboard.claims_stated import stated
from partbench.results.reference.cells import Reference
task = partbench.open_task("fauna/multi:bird")
batch = task.batch("test", range(8))
logits = task.performer.logits(batch.pixels)
registry = load()
print(json.dumps({
    "file": partbench.__file__, "right": int((logits.argmax(1) == batch.labels).sum()),
    "published": len(Reference.load().rows), "claims": len(stated().claims),
    "broken": [str(broken) for broken in registry.broken],
    "names": {kind: sorted(getattr(registry, kind)) for kind in KINDS},
}))
"""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert Path(found["file"]).is_relative_to(site)
    assert found["right"] >= 7
    assert min(found["published"], found["claims"]) > 10
    assert found["broken"] == []
    for kind in KINDS:
        ours = {name for name, entry in getattr(load(), kind).items() if entry.distribution == FIRST_PARTY}
        assert ours <= set(found["names"][kind])


def test_links_and_pictures_of_the_long_description_are_absolute_and_of_files_that_exist(
    metadata: email.message.Message,
) -> None:
    text = str(metadata.get_payload())
    children = [child for token in MarkdownIt().enable("table").parse(text) for child in token.children or []]
    found = [(kind, str(child.attrs[kind])) for child in children for kind in PLACES if kind in child.attrs]
    assert sum(kind == "src" for kind, _ in found) >= 1
    assert [target for _, target in found if not target.startswith(("https://", "#"))] == []
    ours = [(kind, target) for kind, target in found if target.startswith(tuple(PLACES.values()))]
    assert len(ours) > 15
    for kind, target in ours:
        path, _, _ = target.removeprefix(PLACES[kind]).partition("#")
        assert target.startswith(PLACES[kind])
        assert (REPOSITORY / path).exists(), target


def test_the_metadata_name_the_places_of_the_project(metadata: email.message.Message) -> None:
    places = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL"))
    assert set(places) == {"Homepage", "Documentation", "Leaderboards", "Changelog", "Issues"}
    assert metadata["Description-Content-Type"] == "text/markdown"
