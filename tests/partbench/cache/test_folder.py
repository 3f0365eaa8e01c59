from __future__ import annotations

import os
from pathlib import Path

import pytest

from partbench import InputError, open_task
from partbench.cache.folder import cache_folder, check_cache_writable


@pytest.mark.parametrize("given", ["", "  ", "cache", "./cache", "~/cache"])
def test_an_empty_or_relative_path_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_CACHE", given)
    with pytest.raises(InputError, match=r"PARTBENCH_CACHE is .*absolute path"):
        cache_folder()


def test_without_the_variable_it_is_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PARTBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder().is_relative_to(tmp_path)


def test_a_folder_that_is_not_there_is_made_and_left_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "a" / "b"))
    assert check_cache_writable() == tmp_path / "a" / "b"
    assert not list((tmp_path / "a" / "b").iterdir())


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_its_place_is_the_users_mistake(below: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "file" / below))
    with pytest.raises(InputError, match=r"cannot write to the cache folder .*file"):
        check_cache_writable()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_the_users_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        check_cache_writable()


def test_the_variable_is_to_be_unset_only_where_it_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"set PARTBENCH_CACHE to the absolute path of a folder, or unset it$"):
        check_cache_writable()
    monkeypatch.delenv("PARTBENCH_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "file" / name))
    with pytest.raises(InputError, match=r"set PARTBENCH_CACHE to the absolute path of a folder$"):
        check_cache_writable()


def test_opening_a_task_tests_the_folder_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot write to the cache folder"):
        open_task("fauna/multi:bird")
