from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_cells import as_version_2, cell, changed, rows, unsealed

from partbench.errors import InputError
from partbench.results.cell_file import read_table
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
