"""Items of the cache are made once, checked when read, and never half written, whatever happens to their files."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from partbench import CacheItem
from partbench.cache import item as module
from partbench.cache.item import DamagedItem, check, checksum

TEXT = b"some bytes " * 100

# Writes an item and dies at a planted point: {0} is a statement that replaces a function by one that kills.
DYING = """
import os, signal, sys
from pathlib import Path
from partbench.cache.item import CacheItem
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
def fill(file):
    file.write({text!r})
    file.flush()
    {during}
{patch}
item = CacheItem("kind", "name", ".bin", Path(sys.argv[1]))
item.once(Path.read_bytes, lambda: item.write(fill))
"""
POINTS = {
    "in the middle of the write": {"during": "die()", "patch": ""},
    "before the bytes are on the disk": {"during": "pass", "patch": "os.fsync = die"},
    "between temporary file and rename": {"during": "pass", "patch": "os.replace = die"},
    "after the rename": {"during": "pass", "patch": "rename = os.replace; os.replace = lambda *a: (rename(*a), die())"},
}


class Made:
    """An item of the cache that counts how often it is made."""

    def __init__(self, root: Path, name: str = "name") -> None:
        self.item, self.times = CacheItem("kind", name, ".bin", root), 0

    def make(self) -> Path:
        self.times += 1
        return self.item.write(lambda file: file.write(TEXT))

    def once(self) -> bytes:
        return self.item.once(Path.read_bytes, self.make)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_it_is_made_once_and_standard_tools_can_read_it(made: Made, tmp_path: Path) -> None:
    assert made.once() == made.once() == TEXT
    assert made.times == 1
    (path,) = (tmp_path / "kind").iterdir()
    assert path.read_bytes() == TEXT
    assert path.name == f"name.{checksum(path, 'kind/name.bin')}.bin"


def test_nothing_else_is_left_behind(made: Made, tmp_path: Path) -> None:
    made.once()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == made.item.files()


def test_names_that_contain_each_other_are_different_items(tmp_path: Path) -> None:
    for name in ("name", "name.0123abcd", "name-x", "folder/name"):
        assert Made(tmp_path, name).once() == TEXT
    assert len(Made(tmp_path).item.files()) == 1


def test_a_file_of_another_item_is_not_taken_for_this_one(made: Made, tmp_path: Path) -> None:
    other = Made(tmp_path, "other")
    other.once()
    (path,) = other.item.files()
    path.rename(path.with_name(path.name.replace("other", "name")))
    with pytest.warns(UserWarning, match="damaged"):
        made.once()
    assert made.times == 1


def test_a_file_without_a_checksum_is_not_used(made: Made, tmp_path: Path) -> None:
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind" / "name.bin").write_bytes(b"of an earlier version")
    assert made.once() == TEXT
    assert (tmp_path / "kind" / "name.bin").exists()


def test_a_file_that_its_reader_refuses_is_made_again(made: Made) -> None:
    made.once()

    def refuses(path: Path) -> bytes:
        if made.times == 1:
            raise ValueError("not what it was")
        return path.read_bytes()

    with pytest.warns(UserWarning, match="not what it was"):
        assert made.item.once(refuses, made.make) == TEXT


def test_too_many_open_files_are_no_reason_to_remove_one(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made.once()

    def no_more(*_: object) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(module, "checksum", no_more)
    with pytest.raises(OSError, match="Too many"):
        made.once()
    monkeypatch.undo()
    made.once()
    assert made.times == 1


def test_a_file_is_read_for_its_checksum_once_in_a_process_until_it_changes(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.once()
    (path,) = made.item.files()
    reads = []
    real = module.checksum
    monkeypatch.setattr(module, "checksum", lambda *words: reads.append(1) or real(*words))
    check(path, made.item.identity)
    check(path, made.item.identity)
    assert len(reads) == 2, "a file just written could change again without a later time"
    before = time.time() - 60
    os.utime(path, (before, before))
    check(path, made.item.identity)
    check(path, made.item.identity)
    assert len(reads) == 3
    path.write_bytes(TEXT[:-1] + b"?")
    with pytest.raises(DamagedItem):
        check(path, made.item.identity)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_modes_follow_the_umask(umask: int, mode: int, made: Made, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        made.once()
    finally:
        os.umask(before)
    (path,) = made.item.files()
    assert path.stat().st_mode & 0o777 == mode
    assert path.parent.stat().st_mode & 0o666 == mode


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_behind(step: str, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, step, full)
    with pytest.raises(OSError, match="No space left on device while writing to the cache") as raised:
        made.once()
    assert raised.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert not list(made.item.write(lambda file: file.write(TEXT)).parent.glob(".*"))


def test_a_file_too_large_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from partbench.cache.item import CacheItem\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "item = CacheItem('kind', 'name', '.bin', Path(sys.argv[1]))\n"
        "try: item.once(Path.read_bytes, lambda: item.write(lambda file: file.write(bytes(9000))))\n"
        "except OSError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert "File too large while writing to the cache" in result.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_errors_of_what_is_read_meanwhile_stay_as_they_are(made: Made, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"photograph\.jpg"):
        made.item.write(lambda file: (tmp_path / "photograph.jpg").read_bytes())


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_nothing_that_is_taken_for_good(point: str, made: Made, tmp_path: Path) -> None:
    code = DYING.format(text=TEXT[:500], **POINTS[point])
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = made.once()
    finished = point == "after the rename"
    assert made.times == (0 if finished else 1)
    assert found == (TEXT[:500] if finished else TEXT)
