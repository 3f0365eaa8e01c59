from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from partbench import CacheItem
from partbench.cache.lock import locked
from partbench.cache.upkeep import adopt, cached_files, clear, sweep

LEFT = "kind/deep/.name.bin.0123456789abcdef0123456789abcdef.part"


def item(root: Path, name: str = "name", kind: str = "kind") -> CacheItem:
    return CacheItem(kind, name, ".bin", root)


def stored(root: Path, name: str = "name", kind: str = "kind") -> Path:
    return item(root, name, kind).write(lambda file: file.write(b"bytes of " + name.encode()))


def left(root: Path, name: str = LEFT, age: float = 0.0) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_files_are_listed_with_kind_and_size_and_what_is_unfinished_is_not(tmp_path: Path) -> None:
    stored(tmp_path, "deep/er/name")
    stored(tmp_path, kind="other")
    left(tmp_path)
    left(tmp_path, ".locks/x.lock")
    found = {(file.kind, file.identity): file for file in cached_files(tmp_path)}
    assert set(found) == {("kind", "kind/deep/er/name.bin"), ("other", "other/name.bin")}
    assert found["other", "other/name.bin"].size == len(b"bytes of name")
    assert not any(file.fault() for file in found.values())
    assert [file.kind for file in cached_files(tmp_path, ["other"])] == ["other"]


def test_a_damaged_file_a_link_to_nothing_and_a_file_without_a_checksum_have_a_fault(tmp_path: Path) -> None:
    path = stored(tmp_path)
    path.write_bytes(b"other bytes")
    path.with_name("linked.01234567.bin").symlink_to("nowhere")
    path.with_name("folder.01234567.bin").mkdir()
    path.with_name("old.bin").write_bytes(b"of an earlier version")
    faults = {file.path.name.partition(".")[0]: file.fault() for file in cached_files(tmp_path)}
    assert "its checksum is" in faults["name"]
    assert "No such file" in faults["linked"]
    assert "Is a directory" in faults["folder"]
    assert "has no checksum" in faults["old"]


def test_a_file_of_an_earlier_version_is_used_once_it_is_adopted(tmp_path: Path) -> None:
    (tmp_path / "kind" / "deep").mkdir(parents=True)
    (tmp_path / "kind" / "deep" / "name.npy").write_bytes(b"old")
    (file,) = cached_files(tmp_path)
    adopt(file, tmp_path)
    found = CacheItem("kind", "deep/name", ".npy", tmp_path)
    assert found.once(Path.read_bytes, lambda: Path(str(1 // 0))) == b"old"
    assert len(list(cached_files(tmp_path))) == 1


def test_adopting_changes_no_file_that_has_a_checksum_or_is_foreign(tmp_path: Path) -> None:
    path = stored(tmp_path)
    path.write_bytes(b"damaged")
    path.with_name("note.txt").write_text("mine")
    for file in list(cached_files(tmp_path)):
        adopt(file, tmp_path)
    assert {file.name for file in path.parent.iterdir()} == {path.name, "note.txt"}


def test_what_a_killed_run_left_is_swept_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    abandoned, busy = left(tmp_path), left(tmp_path, LEFT.replace("name", "busy"))
    code = (
        "import sys; from pathlib import Path; from partbench.cache.lock import locked\n"
        "with locked(Path(sys.argv[1]), 'kind/deep/busy.bin'): print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert sweep(tmp_path) == 1
        assert busy.exists()
        assert not abandoned.exists()
        writer.kill()
    assert sweep(tmp_path) == 1
    assert not busy.exists()


@pytest.mark.parametrize("name", ["kind/tmpab12.part", ".0123456789abcdef0123456789abcdef.part"])
def test_unfinished_files_of_earlier_versions_are_swept_after_a_day(name: str, tmp_path: Path) -> None:
    path = left(tmp_path, name, age=3600)
    assert sweep(tmp_path) == 0
    left(tmp_path, name, age=90_000)
    assert sweep(tmp_path) == 1
    assert not path.exists()


def test_old_lock_files_are_swept(tmp_path: Path) -> None:
    left(tmp_path, ".locks/old.lock", age=90_000)
    new = left(tmp_path, ".locks/new.lock")
    sweep(tmp_path)
    assert list((tmp_path / ".locks").iterdir()) == [new]


def test_sweeping_leaves_finished_files(tmp_path: Path) -> None:
    path = stored(tmp_path)
    os.utime(path, (0, 0))
    assert sweep(tmp_path) == 0
    assert path.exists()


def test_clearing_a_kind_leaves_the_others(tmp_path: Path) -> None:
    stored(tmp_path, "deep/name")
    other = stored(tmp_path, kind="other")
    left(tmp_path)
    assert clear(tmp_path, ["kind"]) == 2
    assert not (tmp_path / "kind").exists()
    assert other.exists()
    assert clear(tmp_path) == 1


def test_clearing_does_not_take_the_lock_of_a_process_away(tmp_path: Path) -> None:
    with locked(tmp_path, "kind/name.bin"):
        clear(tmp_path)
        assert len(list((tmp_path / ".locks").iterdir())) == 1


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert not list(cached_files(tmp_path / "none"))
    assert sweep(tmp_path / "none") == clear(tmp_path / "none") == 0
