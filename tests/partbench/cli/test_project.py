"""The plugin of a project is what its entry point names."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench.cli.project import plugin_file
from partbench.errors import InputError

POINT = '[project.entry-points.partbench]\nmine = "{}"\n'


@pytest.mark.parametrize(
    ("module", "file"),
    [("mine", "mine.py"), ("mine", "mine/__init__.py"), ("pack.mine:hook", "src/pack/mine.py")],
)
def test_modules_and_packages_are_found_also_under_src(tmp_path: Path, module: str, file: str) -> None:
    (tmp_path / "pyproject.toml").write_text(POINT.format(module))
    place = tmp_path / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    assert plugin_file(tmp_path) == place


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a plugin file, a name or the folder"):
        plugin_file(tmp_path)
    project = tmp_path / "pyproject.toml"
    absent = "has no .project.entry-points.partbench"
    for text, answer in (("[project]\n", absent), ("[", "cannot be read"), (f"a = {'[' * 100_000}", "cannot be read"),
                         ("project = 3", absent), ("[[project]]", absent), ("[project]\nentry-points = 3", absent),
                         (POINT.format("../../etc/x"), "names '../../etc/x', expected a module such as"),
                         (POINT.format(""), "names '', expected a module such as"),
                         (POINT.format("other"), "names the module 'other', expected a file other.py")):  # fmt: skip
        project.write_text(text)
        with pytest.raises(InputError, match=answer):
            plugin_file(tmp_path)
