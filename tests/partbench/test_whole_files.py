from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from partbench import InputError
from partbench.whole_files import expect_writable, sweep_unfinished, write_whole, writing

KILLED = """
import os, signal, sys
from pathlib import Path
from partbench.whole_files import write_whole

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

class Half:
    "A file that kills its process in the middle of a write."
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def write(self, data):
        self.file.write(data[: len(data) // 2]); self.file.flush(); die()

point, path = sys.argv[1], Path(sys.argv[2])
if point == "write":
    import builtins, partbench.whole_files as whole_files
    whole_files.open = lambda *given: Half(builtins.open(*given))
else:
    setattr(os, point, die)
write_whole(path, b"new" * 1000)
"""


@pytest.mark.parametrize("point", ["write", "fsync", "replace"])
def test_a_process_killed_at_any_point_of_a_write_leaves_the_file_before(tmp_path: Path, point: str) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"old")
    assert subprocess.run([sys.executable, "-c", KILLED, point, str(path)]).returncode == -9
    assert path.read_bytes() == b"old"
    assert [left.suffix for left in tmp_path.iterdir() if left != path] == [".tmp"]


def test_a_file_that_cannot_be_renamed_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", lambda source, target: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "a", b"new")
    assert list(tmp_path.iterdir()) == []


def test_what_killed_runs_left_is_removed_and_what_is_being_written_stays(tmp_path: Path) -> None:
    folder = tmp_path / "fauna" / "bird"
    folder.mkdir(parents=True)
    old, new, cell_file = folder / ".a.parquet.1.tmp", folder / ".b.parquet.2.tmp", folder / "c.parquet"
    for path, age in ((old, 7200), (new, 10), (cell_file, 7200)):
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    sweep_unfinished(tmp_path)
    assert sorted(folder.iterdir()) == [new, cell_file]


def test_a_folder_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"cannot write to '.*file': .*; choose another folder"),
        writing(tmp_path / "file"),
    ):
        write_whole(tmp_path / "file" / "a", b"new")


def test_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(InputError, match=r"cannot write to .*: pipe is there and is no regular file"),
        writing(tmp_path),
    ):
        write_whole(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path: Path) -> None:
    expect_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|directory"):
        expect_writable(tmp_path / "file")
