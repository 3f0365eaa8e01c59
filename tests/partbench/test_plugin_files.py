"""Plugin files: found by path, with the files beside them, as modules of their own."""

from __future__ import annotations

import importlib
import os
import py_compile
import sys
import typing
from pathlib import Path

import pytest

from partbench import InputError
from partbench.plugin_files import digest, import_file


def test_files_of_one_name_in_two_folders_each_import_their_own_neighbour(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "beside_me.py").write_text(f"NAME = '{folder}'")
        (tmp_path / folder / "mine.py").write_text("from beside_me import NAME")
    first, second = (import_file(tmp_path / folder / "mine.py") for folder in ("one", "two"))
    assert (first.NAME, second.NAME) == ("one", "two")
    assert first.__name__ != second.__name__


def test_a_neighbour_may_be_imported_later_inside_a_function(tmp_path: Path) -> None:
    (tmp_path / "needed_later.py").write_text("VALUE = 5")
    (tmp_path / "mine.py").write_text("def value():\n    import needed_later\n    return needed_later.VALUE")
    assert import_file(tmp_path / "mine.py").value() == 5


def test_a_neighbour_does_not_take_the_place_of_a_library_that_is_imported(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("1 / 0")
    (tmp_path / "mine.py").write_text("import numpy\nVALUE = numpy.ones(2).sum()")
    assert import_file(tmp_path / "mine.py").VALUE == 2


@pytest.mark.parametrize("text", ["import no_such_module", "1 / 0", "def (", "import sys; sys.exit(3)", "é = 3", "\0"])
def test_a_broken_file_is_answered_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="is broken") as caught:
        import_file(path)
    assert "\n" not in str(caught.value)


def test_an_interrupt_during_import_passes_through(tmp_path: Path) -> None:
    (tmp_path / "stopped.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        import_file(tmp_path / "stopped.py")


def test_a_missing_file_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a Python file"):
        import_file(tmp_path / "nowhere.py")


def test_what_runs_is_the_text_and_no_bytecode_of_the_same_second_and_length(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("VALUE = 1")
    py_compile.compile(str(path), doraise=True)
    written = path.stat()
    path.write_text("VALUE = 2")
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert import_file(path).VALUE == 2


def test_the_digest_follows_the_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("a = 1")
    before = digest(path)
    path.write_text("a = 2")
    assert before != digest(path)


def written(folder: Path, texts: dict[str, str]) -> None:
    """Files in a folder and in folders below it, by path."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_file_outside_of_packages_may_import_its_neighbours_by_relative_imports(tmp_path: Path) -> None:
    texts = {"mine.py": "from .beside import NAME\nfrom . import more", "beside.py": "from .more import NAME"}
    for folder in ("one", "two"):
        written(tmp_path / folder, {**texts, "more.py": f"NAME = '{folder}'"})
    first, second = (import_file(tmp_path / folder / "mine.py") for folder in ("one", "two"))
    assert (first.NAME, second.NAME, first.more.NAME) == ("one", "two", "one")


def test_a_neighbour_that_imports_the_file_gets_the_same_module(tmp_path: Path) -> None:
    texts = {"mine.py": "NAME = object()\nfrom .beside import SEEN", "beside.py": "from .mine import NAME as SEEN"}
    written(tmp_path, texts)
    module = import_file(tmp_path / "mine.py")
    assert module.SEEN is module.NAME


def test_a_file_of_a_package_imports_from_its_package_in_every_way(tmp_path: Path) -> None:
    source = "from . import NAME\nfrom .near import A\nfrom ..far import B\nfrom some_kit.far import B as C"
    texts = {"__init__.py": "", "far.py": "B = 2", "sub/__init__.py": "NAME = 0", "sub/near.py": "A = 1"}
    written(tmp_path / "some_kit", {**texts, "sub/mine.py": source})
    module = import_file(tmp_path / "some_kit" / "sub" / "mine.py")
    assert (module.NAME, module.A, module.B, module.C) == (0, 1, 2, 2)


def test_a_working_copy_runs_with_its_own_modules_though_the_plugin_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("site", "copy"):
        texts = {"kept_plugin.py": "from needed_part import NAME", "needed_part.py": f"NAME = '{folder}'"}
        written(tmp_path / folder, texts)
    information = tmp_path / "site" / "kept_plugin-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: kept-plugin\nVersion: 1\n")
    (information / "RECORD").write_text("kept_plugin.py,,\nneeded_part.py,,\n")
    (information / "entry_points.txt").write_text("[partbench]\nkept = kept_plugin\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    installed = importlib.import_module("kept_plugin")
    assert installed.NAME == "site"
    assert import_file(tmp_path / "copy" / "kept_plugin.py").NAME == "copy"
    assert sys.modules["kept_plugin"] is installed  # the file did not import that one


def test_dataclasses_of_a_file_with_postponed_annotations_find_their_types(tmp_path: Path) -> None:
    text = "from __future__ import annotations\nimport dataclasses, typing\n"
    text += "@dataclasses.dataclass\nclass Mine:\n    size: typing.Literal[1, 2] = 1\n"
    (tmp_path / "mine.py").write_text(text)
    cls = import_file(tmp_path / "mine.py").Mine
    assert typing.get_type_hints(cls) == {"size": typing.Literal[1, 2]}


def test_what_a_broken_file_has_imported_so_far_is_forgotten(tmp_path: Path) -> None:
    written(tmp_path, {"mine.py": "from .beside import A\n1 / 0", "beside.py": "A = 1"})
    with pytest.raises(InputError, match="division by zero"):
        import_file(tmp_path / "mine.py")
    written(tmp_path, {"mine.py": "from .beside import A", "beside.py": "A = 22"})
    assert import_file(tmp_path / "mine.py").A == 22
