from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_cells import cell, rows

from partbench.results.sealed import Damaged, read_bytes, write_sealed
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
