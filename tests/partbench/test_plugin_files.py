"""Plugin files: found by path, with the files beside them, as modules of their own."""

from __future__ import annotations

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


@pytest.mark.parametrize("text", ["import no_such_module", "1 / 0", "def (", "import sys; sys.exit(3)"])
def test_a_broken_file_is_answered_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
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


def test_the_digest_follows_the_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("a = 1")
    before = digest(path)
    path.write_text("a = 2")
    assert before != digest(path)
