from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_cells import as_version_2, cell, changed, rows, unsealed

from partbench.errors import InputError
from partbench.results import cell_file
from partbench.results.cell_file import read_finished, read_table
from partbench.results.schema import cell_path
from partbench.results.sealed import Damaged, write_sealed
from partbench.results.store import write_cell


def damaged(path: Path, seeds: range) -> list[str]:
    """How reading ends for copies of a file with one changed bit each: "damaged", "same" or "different"."""
    data, whole, ends = path.read_bytes(), read_table(path, aggregates_only=False), []
    for seed in seeds:
        random = np.random.default_rng(seed)
        changed = bytearray(data)
        changed[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
        path.write_bytes(changed)
        try:
            found = read_table(path, aggregates_only=False)
            ends.append("same" if found.equals(whole) else "different")
        except (Damaged, InputError) as error:
            ends.append("damaged" if "\n" not in str(error) else "more than a line")
    return ends


@pytest.mark.parametrize("n", [150, pytest.param(5000, marks=pytest.mark.soak)])
def test_a_flip_in_a_file_of_version_2_is_told_in_one_line_or_changes_nothing(tmp_path: Path, n: int) -> None:
    values = list(np.random.default_rng(1).normal(size=100))
    path = as_version_2(write_cell(tmp_path, rows(values), cell()))
    ends = damaged(path, range(n))
    assert set(ends) == {"damaged", "same"}
    assert ends.count("damaged") > 0.5 * n


def test_a_digest_does_not_make_a_cell_of_another_table(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    write_sealed(path, [unsealed(path).drop_columns("metric")])
    with pytest.raises(Damaged, match="columns differ: metric"):
        read_table(path, aggregates_only=True)


@pytest.mark.parametrize("column", ["category", "created_at", "seed", "metric", "schema_version"])
def test_a_file_whose_rows_lack_what_every_row_has_is_damaged(tmp_path: Path, column: str) -> None:
    path = write_cell(tmp_path, rows([1.0, 2.0]), cell())
    table = unsealed(path)
    absent = pa.array([table[column][0].as_py(), None, None], table.schema.field(column).type)
    write_sealed(path, [changed(table, column, absent)])
    with pytest.raises(Damaged, match=f"rows lack {column}"):
        read_table(path, aggregates_only=False)


def test_texts_that_are_no_unicode_are_damage(tmp_path: Path) -> None:
    path = as_version_2(write_cell(tmp_path, [row | {"reason": "QQQQQQQQ"} for row in rows([1.0])], cell()))
    pq.write_table(pq.read_table(path), path, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"QQQQQQQQ", b"\xff" * 8))
    with pytest.raises(Damaged, match=r"(?i)utf"):
        read_table(path, aggregates_only=True)


@pytest.mark.parametrize("key", ["x-1b2091d15eb4d1f4", "1b2091d15eb4d1f", "1b2091d1/5eb4d1f", "1B2091D15EB4D1F4"])
def test_a_cell_whose_status_could_not_be_looked_up_by_its_key_is_refused(key: str, tmp_path: Path) -> None:
    table = unsealed(write_cell(tmp_path, rows([1.0]), cell()))
    table = changed(table, "cell", pa.array([key] * len(table)))
    place = cell_path(Path(), table.to_pylist()[0])
    every = [unit == "all" for unit in table["unit"].to_pylist()]
    write_sealed(tmp_path / "x.parquet", [table.filter(pa.array(every))])
    with pytest.raises(Damaged, match="expected 16 hexadecimal digits"):
        read_finished(tmp_path / "x.parquet", place.as_posix())


def test_only_whole_finished_cells_at_their_place_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = cell()
    path = write_cell(tmp_path, rows([1.0, 2.0]), known)
    place = path.relative_to(tmp_path).as_posix()
    assert len(read_finished(path, place)) == 3
    with pytest.raises(Damaged, match=f"it lies at other.parquet, expected {place}"):
        read_finished(path, "other.parquet")
    monkeypatch.setattr(cell_file, "MOST_ROWS", 2)
    with pytest.raises(Damaged, match="3 rows, more than 2"):
        read_finished(path, place)
    monkeypatch.undo()
    monkeypatch.setattr(cell_file, "MOST_UNPACKED", 1000)
    with pytest.raises(Damaged, match="bytes when unpacked, more than 1000"):
        read_finished(path, place)
    monkeypatch.undo()
    write_cell(tmp_path, [row | {"status": "failed", "reason": "two\nlines"} for row in rows([1.0])], known, True)
    with pytest.raises(Damaged, match="locality failed: two lines"):
        read_finished(path, place)
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(Damaged, match="columns differ"):
        read_finished(path, place)
    path.write_bytes(b"PAR1")
    with pytest.raises(Damaged):
        read_finished(path, place)
