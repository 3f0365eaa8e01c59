"""Lines of a plugin's code: those that declare something, and those that raised."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from partbench.plugin_files import import_file
from partbench.testing.source_lines import SourceLine, declared_at, neighbours, raised_at

SOURCE = """
class Split:
    def __init__(self):
        self.labels = [1]

class Base:
    size = 3
    def open(self):
        value = 1
        return value

class Mine(Base, dict):
    name: str = "mine"
    def explain(self, x):
        if x:
            return 1
        return len(3)
"""


@pytest.fixture
def plugin(tmp_path: Path) -> ModuleType:
    path = tmp_path / "plugin.py"
    path.write_text(SOURCE)
    return import_file(path)


@pytest.mark.parametrize(
    ("cls", "name", "line", "within"),
    [
        ("Mine", "name", 13, "name"),
        ("Mine", "explain", 14, "explain"),  # two returns: the line of the method
        ("Mine", "open", 10, "open"),  # of the base class, at its only return
        ("Mine", "size", 7, "size"),
        ("Mine", "nothing", 12, "class Mine"),
        ("Split", "labels", 4, "Split, labels"),
    ],
)
def test_what_a_class_declares_is_found_by_line(
    plugin: ModuleType, cls: str, name: str, line: int, within: str
) -> None:
    assert declared_at(getattr(plugin, cls), name) == SourceLine(str(plugin.__file__), line, within)


def test_an_exception_is_placed_at_the_innermost_line_of_the_plugin(plugin: ModuleType) -> None:
    with pytest.raises(TypeError) as caught:
        plugin.Mine().explain(False)
    assert str(raised_at(caught.value, plugin.Mine)) == f"{plugin.__file__}, line 17, in explain"
    with pytest.raises(ValueError) as outside:
        raise ValueError
    assert raised_at(outside.value, plugin.Mine) is None


def test_the_cause_of_an_exception_counts_before_what_it_led_to(plugin: ModuleType) -> None:
    with pytest.raises(TypeError) as caught:
        plugin.Mine().explain(False)
    later = RuntimeError()
    later.__cause__ = caught.value
    assert "line 17" in str(raised_at(later, plugin.Mine))


def test_neighbours_are_the_other_classes_of_the_module_of_a_kind(plugin: ModuleType) -> None:
    assert neighbours(plugin.Mine, plugin.Base) == [plugin.Base]
    assert neighbours(plugin.Base, plugin.Split) == [plugin.Split]
