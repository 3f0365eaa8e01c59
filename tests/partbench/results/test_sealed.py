from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_cells import cell, rows

from partbench import InputError
from partbench.results.sealed import Damaged, read_bytes, sweep_unfinished, write_sealed, write_whole, writing
from partbench.results.store import finished, load_results, read_cell, write_cell


def table(n: int = 300) -> pa.Table:
    return pa.table({"name": [f"image-{i}" for i in range(n)], "value": np.random.default_rng(0).normal(size=n)})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell with two metrics of 150 images."""
    values = list(np.random.default_rng(1).normal(size=150))
    folder = tmp_path_factory.mktemp("results")
    return write_cell(folder, rows(values) + rows(values[::-1], metric="accuracy"), cell())


def flips(data: bytes, seeds: range) -> Iterator[bytes]:
    """Copies of bytes, each with one bit changed; every fourth of them in the footer."""
    footer = int.from_bytes(data[-8:-4], "little") + 8
    for seed in seeds:
        random = np.random.default_rng(seed)
        least = len(data) - footer if seed % 4 == 0 else 0
        changed = bytearray(data)
        changed[int(random.integers(least, len(data)))] ^= 1 << int(random.integers(8))
        yield bytes(changed)


def cuts(data: bytes, seeds: range) -> Iterator[bytes]:
    """The beginnings of some bytes."""
    for seed in seeds:
        yield data[: int(np.random.default_rng(seed).integers(len(data)))]


def used_without_a_word(folder: Path, damaged: Iterator[bytes]) -> int:
    """How many of these contents of a cell's file are taken for a finished cell, or read."""
    path, taken = cell().path(folder), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    for content in damaged:
        path.write_bytes(content)
        with pytest.warns(UserWarning, match="damaged"):
            taken += finished(folder, cell()) is not None
        with pytest.raises(Damaged):
            read_cell(path)
        with pytest.warns(UserWarning, match="ignored"):
            taken += len(load_results(folder)) + len(load_results(folder, aggregates_only=False))
    return taken


def test_no_flipped_bit_goes_unnoticed(written: Path, tmp_path: Path) -> None:
    assert used_without_a_word(tmp_path, flips(written.read_bytes(), range(60))) == 0


def test_no_truncation_goes_unnoticed(written: Path, tmp_path: Path) -> None:
    assert used_without_a_word(tmp_path, cuts(written.read_bytes(), range(40))) == 0


@pytest.mark.soak
def test_of_thousands_of_flips_and_truncations_none_goes_unnoticed(written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    assert used_without_a_word(tmp_path / "flips", flips(data, range(10_000))) == 0
    assert used_without_a_word(tmp_path / "cuts", cuts(data, range(2_000))) == 0


@pytest.mark.soak
def test_every_bit_of_the_footer_is_noticed(written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    for place in range(len(data) - int.from_bytes(data[-8:-4], "little") - 8, len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            (tmp_path / "cell.parquet").write_bytes(changed)
            with pytest.raises(Damaged):
                read_cell(tmp_path / "cell.parquet")


def test_a_sealed_file_is_read_by_pandas(written: Path) -> None:
    assert pd.read_parquet(written)["value"].tolist() == pq.read_table(written)["value"].to_pylist()


def test_a_sealed_file_is_read_by_polars(written: Path) -> None:
    polars = pytest.importorskip("polars")
    assert polars.read_parquet(written)["value"].to_list() == pq.read_table(written)["value"].to_pylist()


def test_a_sealed_file_is_read_by_duckdb(written: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"select value from read_parquet('{written}')").fetchall()
    assert [value for (value,) in found] == pq.read_table(written)["value"].to_pylist()


def test_the_digest_covers_the_metadata_too(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_sealed(path, [table()], {"about": "seven"})
    data, sealed = read_bytes(path)
    assert sealed
    path.write_bytes(data.replace(b"seven", b"eight"))
    with pytest.raises(Damaged, match="SHA-256"):
        read_bytes(path)


def test_a_file_without_a_digest_is_told_from_one_with(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "plain.parquet")
    assert read_bytes(tmp_path / "plain.parquet")[1] is False
    with pytest.raises(Damaged, match="directory"):
        read_bytes(tmp_path)


@pytest.mark.parametrize("name", ["a\0b.parquet", "a\ud800.parquet", "a" * 5000])
def test_a_name_that_no_file_can_have_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(Damaged):
        read_bytes(tmp_path / name)


def test_a_digest_among_the_values_is_not_taken_for_that_of_the_file(tmp_path: Path) -> None:
    hostile = pa.table({"name": ["partbench.sha256\x18\x40" + "0" * 64]})
    write_sealed(tmp_path / "a.parquet", [hostile], compression="none", use_dictionary=False)
    assert b"\x18\x40" + b"0" * 64 in read_bytes(tmp_path / "a.parquet")[0]


KILLED = """
import os, signal, sys
from pathlib import Path
from partbench.results.sealed import write_whole

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
    import builtins, partbench.results.sealed as sealed
    sealed.open = lambda *given: Half(builtins.open(*given))
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
