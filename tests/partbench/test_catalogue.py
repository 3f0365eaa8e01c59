"""The catalogue says what the registry says, without importing a plugin, until something that it describes changes."""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from partbench import catalogue as module
from partbench.cache.item import CacheItem
from partbench.catalogue import catalogue, described
from partbench.hookspecs import GROUP
from partbench.registry import load

SOURCE = """
from dataclasses import dataclass, field
from typing import ClassVar
from partbench import Explainer, default_from, hookimpl
print("noise")

@dataclass
class Mine(Explainer):
    '''First line.

    Another. Source: a paper,
    section 2.

    More.'''
    name: ClassVar[str] = "mine"
    epochs: int = 3
    sizes: list[int] = field(default_factory=lambda: [1, 2])
    rate: float = default_from(lambda mine: mine.epochs / 2)
    hidden: float = field(init=False, default=0.0)
    def fit(self, task): ...
    def explain(self, batch): ...

@hookimpl
def register_explainers(register):
    register(Mine)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    path = folder / "mine.py"
    path.write_text(SOURCE)
    return path


def never(*_: object) -> None:
    raise AssertionError("the plugins were loaded")


def test_it_describes_the_registry() -> None:
    registry, found = load(), catalogue()
    for kind in ("explainers", "metrics", "datasets", "performers"):
        assert {plugin.name for plugin in found.of(kind)} == set(getattr(registry, kind))
    names = [task["name"] for task in found.tasks]
    assert set(registry.tasks()) < set(names)
    assert "fauna/bird:others" in names
    fauna = next(plugin for plugin in found.of("datasets") if plugin.name == "fauna")
    assert "bird" in fauna.categories
    assert fauna.default_performer == "small_vgg"


def test_options_are_given_with_defaults_and_types(file: Path) -> None:
    (mine,) = [plugin for plugin in catalogue([file]).of("explainers") if plugin.name == "mine"]
    assert mine.what == "First line."
    named = [{key: option[key] for key in ("name", "default", "type")} for option in mine.options]
    assert named == [
        {"name": "epochs", "default": "3", "type": "int"},
        {"name": "sizes", "default": "[1, 2]", "type": "list[int]"},
        {"name": "rate", "default": "(set by other options)", "type": "float"},
    ]


def test_defaults_that_other_options_set_are_computed(file: Path) -> None:
    (mine,) = [plugin for plugin in catalogue([file]).of("explainers") if plugin.name == "mine"]
    assert mine.options[0]["value"] == "3"
    assert mine.options[2]["value"] == "1.5"


def test_the_source_is_what_the_docstring_says_of_it(file: Path) -> None:
    found = {plugin.name: plugin.source for plugin in catalogue([file]).of("explainers")}
    assert found["mine"] == "a paper, section 2."
    assert found["random_maps"] == ""


def test_the_second_time_nothing_is_loaded_and_the_same_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = catalogue([file])
    monkeypatch.setattr("partbench.registry.load", never)
    assert catalogue([file]) == first


def test_what_a_plugin_prints_goes_to_stderr(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue([file])
    out, errors = capsys.readouterr()
    assert not out
    assert "noise" in errors


def test_a_changed_file_or_neighbour_is_found_anew(file: Path) -> None:
    file.with_name("beside.py").write_text("NAME = 'one'")
    file.write_text(SOURCE.replace('"mine"', "beside.NAME").replace("from typing", "import beside\nfrom typing"))
    assert "one" in {plugin.name for plugin in catalogue([file]).plugins}
    sys.modules.pop("beside")
    file.with_name("beside.py").write_text("NAME = 'another'")
    assert "another" in {plugin.name for plugin in catalogue([file]).plugins}


def test_a_changed_module_of_an_installed_plugin_changes_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger").mkdir()
    inside = tmp_path / "stranger" / "inside.py"
    for path in (inside.with_name("__init__.py"), inside):
        path.write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    before = module._state([])
    point = importlib.metadata.EntryPoint("odd", "stranger.inside", GROUP)
    monkeypatch.setattr("partbench.hookspecs.entry_points", lambda: [point])
    added = module._state([])
    os.utime(inside, ns=(1, 1))
    assert len({before, added, module._state([])}) == 3


@pytest.mark.parametrize("damage", [lambda text: text[:-40], lambda text: text.replace("fauna", "fuana"), lambda _: ""])
def test_a_damaged_file_is_made_anew(own_cache: Path, damage) -> None:  # type: ignore[no-untyped-def]
    first = catalogue()
    (path,) = (own_cache / "catalogue").glob("*.json")
    whole = path.read_text()
    path.write_text(damage(whole))
    assert catalogue() == first
    assert path.read_text() == whole


def test_a_cache_folder_that_cannot_be_written_is_no_obstacle(own_cache: Path) -> None:
    own_cache.write_text("a file")
    assert catalogue().plugins


def test_broken_plugins_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("bad", "no_such_module_at_all", GROUP)
    monkeypatch.setattr("partbench.hookspecs.entry_points", lambda: [point])
    (broken,) = catalogue().broken
    assert broken["plugin"] == "bad"
    assert "No module named" in broken["error"]
    assert catalogue() == described(load())


def test_old_catalogues_are_removed(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = described(load())
    monkeypatch.setattr(module, "NEWEST", 2)
    for name in "abc":
        module._write(CacheItem("catalogue", name, ".json"), found)
    assert len(list((own_cache / "catalogue").iterdir())) == 2


def test_listing_and_completing_need_neither_torch_nor_numpy_nor_pandas_and_little_time() -> None:
    catalogue()
    heavy = "print({'torch', 'numpy', 'pandas', 'jaxtyping'} & set(sys.modules), file=sys.stderr)"
    listing = "import sys, partbench.cli.main as m\nm.main(['list', '--json'], standalone_mode=False)\n" + heavy
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert json.loads(result.stdout)["explainers"]
    assert result.stderr.strip() == "set()"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0  # .13 s on a quiet machine
    environment = {**os.environ, "_BENCH_COMPLETE": "bash_complete", "COMP_WORDS": "bench run --task fauna/multi:b"}
    completing = f"import sys, partbench.cli.main as m\ntry: m.main(prog_name='bench')\nfinally: {heavy}"
    result = subprocess.run(
        [sys.executable, "-c", completing], env={**environment, "COMP_CWORD": "3"}, capture_output=True, text=True
    )
    assert "fauna/multi:bird" in result.stdout
    assert result.stderr.strip() == "set()"
