"""Finding plugins: walking, entry points, files; what is broken stays apart, what clashes is named."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from partbench import InputError
from partbench.registry import GROUP, load

SOURCE = """
from dataclasses import dataclass
from typing import ClassVar
from partbench import Explanation, hookimpl

@dataclass
class {cls}:
    "An explainer of a test."
    name: ClassVar[str] = "{name}"
    def fit(self, task): ...
    def explain(self, batch): return Explanation(scores=batch.pixels.mean((2, 3)))

@hookimpl
def {hook}(register):
    register({cls})
"""


def plugin(folder: Path, name: str = "mine", hook: str = "register_explainers") -> Path:
    path = folder / f"{name}_plugin.py"
    path.write_text(SOURCE.format(cls="Mine", name=name, hook=hook))
    return path


def installed(monkeypatch: pytest.MonkeyPatch, *points: importlib.metadata.EntryPoint) -> None:
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: list(points))


def test_first_party_plugins_are_found_by_walking_the_packages() -> None:
    registry = load()
    assert {"srae", "nn", "sae", "cae", "lasso", "excitation_bp", "z", "top_conv"} <= registry.explainers.keys()
    assert {"random_maps", "centre_map"} <= registry.explainers.keys()
    assert {"fauna", "animal_part"} <= registry.datasets.keys()
    assert {"small_vgg", "lite0", "lite0_head"} <= registry.performers.keys()
    assert len(registry.metrics) >= 8


def test_a_plugin_file_is_loaded_by_path_and_its_version_follows_its_text(tmp_path: Path) -> None:
    path = plugin(tmp_path)
    before = load([path]).explainers["mine"]
    path.write_text(path.read_text() + "\n# changed\n")
    after = load([path]).explainers["mine"]
    assert before.owner == str(path)
    assert before.version != after.version


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no explainer named 'srea'; did you mean 'srae'"):
        load().find("explainers", "srea")


def test_a_duplicate_name_names_both_owners(tmp_path: Path) -> None:
    path = plugin(tmp_path, "srae")
    with pytest.raises(InputError, match=r"partbench_plugins.srae.srae and .*srae_plugin.py"):
        load([path])


def test_an_unknown_hook_is_an_error(tmp_path: Path) -> None:
    path = plugin(tmp_path, hook="register_explainer")
    with pytest.raises(InputError, match="register_explainer"):
        load([path])


@pytest.mark.parametrize("text", ["import no_such_module", "1 / 0", "def ("])
def test_a_broken_file_is_answered_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(InputError, match="is broken") as caught:
        load([path])
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a Python file"):
        load([tmp_path / "nowhere.py"])


def test_an_entry_point_that_fails_is_kept_as_broken_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, importlib.metadata.EntryPoint("bad", "no_such_module_at_all", GROUP))
    registry = load()
    assert [(b.plugin, "No module named" in b.error) for b in registry.broken] == [("bad", True)]
    assert "srae" in registry.explainers
    with pytest.raises(InputError, match="plugin 'bad' is broken"):
        registry.find("explainers", "bad")


def test_an_entry_point_with_an_unknown_hook_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, hook="register_nonsense")
    monkeypatch.syspath_prepend(tmp_path)
    installed(monkeypatch, importlib.metadata.EntryPoint("odd", "mine_plugin", GROUP))
    (broken,) = load().broken
    assert "register_nonsense" in broken.error
