"""The plugin of a project is what its entry point names."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from partbench.cli.main import main
from partbench.cli.project import file_or_name, plugin_file
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


def test_the_folder_of_a_trained_performer_stands_for_its_plugin_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("performer.toml", "performer.py"):
        (folder / name).touch()
    monkeypatch.chdir(tmp_path)
    assert {file_or_name(text) for text in ("mine", "./mine", str(folder))} == {str(folder / "performer.py")}


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


def test_a_folder_means_its_file_unless_an_installed_plugin_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("srae", "mine"):
        project = tmp_path / name
        project.mkdir()
        (project / "pyproject.toml").write_text(POINT.format("mine"))
        (project / "mine.py").touch()
    assert file_or_name("mine") == file_or_name("mine/mine.py") == str(tmp_path / "mine/mine.py")
    assert file_or_name("srae") == "srae"
    assert file_or_name("./srae") == str(tmp_path / "srae/mine.py")
    assert file_or_name("another") == "another"


def test_a_file_that_is_not_there_is_told_before_any_worker_starts(tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    with pytest.raises(InputError, match=r"no plugin file .*/mime\.py; did you mean 'mine\.py'"):
        file_or_name(str(tmp_path / "mime.py"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "other.py").touch()
    with pytest.raises(InputError, match=r"did you mean 'other/other\.py'"):
        file_or_name(str(tmp_path / "other.py"))
    with pytest.raises(InputError, match=r"expected a Python file with a register_\.\.\. hook"):
        file_or_name(str(tmp_path / "quite_another.py"))


@pytest.mark.parametrize("command", [["run", "--plugin"], ["check"], ["show"], ["submit", "--plugin"]])
def test_commands_take_the_folder_of_a_project_or_say_what_is_missing(command: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*command, f"{tmp_path}/"])
    assert result.exit_code == 2
    assert f"no {tmp_path}/pyproject.toml; expected a plugin file" in result.output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("link.py", "link.py cannot be read: "), ("fifo.py", "it is a file of another kind"),
        ("folder.py", "no .*folder.py/pyproject.toml"), (f"{'a' * 5000}.py", "cannot be read: File name too long"),
        ("~no_such_user/a.py", "cannot be read: .*home directory"),
        ("text.txt", "expected a Python file"),
    ],
)  # fmt: skip
def test_a_path_that_is_no_plugin_file_is_told_in_one_line(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "link.py").symlink_to(tmp_path / "link.py")
    os.mkfifo(tmp_path / "fifo.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "text.txt").touch()
    for arguments in (["check", name], ["list", "--plugin-file", name]):
        arguments[-1] = name if name.startswith("~") else f"{tmp_path}/{name}"
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2, result.output
        assert re.search(said if arguments[0] == "check" else "plugin file", result.output), result.output
        assert len(result.output.splitlines()) == 1


def test_a_name_that_no_file_can_have_is_a_name() -> None:
    assert file_or_name("a" * 5000) == "a" * 5000
    with pytest.raises(InputError, match=r"cannot be read: .*null"):
        file_or_name("a\0.py")
