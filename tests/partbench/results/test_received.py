"""Files of cells that were written elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench.errors import InputError
from partbench.results.received import receive_cell
from partbench.results.schema import Cell
from partbench.results.store import read_cell, write_cell

CELL = Cell("nn", "partbench", "1", {}, "fauna/multi:cat", "1", "fauna", "cat", "small_vgg", "data", 0)


def written(folder: Path, value: float, status: str = "ok", cell: Cell = CELL) -> bytes:
    row = {
        "run_id": "r", "created_at": "2026-01-01", "partbench_version": "1", "variant": "", "metric": "accuracy",
        "metric_version": "1", "unit": "all", "status": status, "value": value,
    }  # fmt: skip
    return write_cell(folder, [row], cell, overwrite=True).read_bytes()


def test_a_cell_is_received_as_it_was_written(tmp_path: Path) -> None:
    data = written(tmp_path / "there", 0.5)
    path, new = receive_cell(tmp_path / "here", data, CELL)
    assert (path, new) == (CELL.path(tmp_path / "here"), True)
    assert path.read_bytes() == data
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("status", "overwrite", "stays"), [("ok", False, True), ("ok", True, False), ("failed", False, False)]
)
def test_a_finished_cell_stays_but_for_one_that_failed_or_is_to_be_done_again(
    tmp_path: Path, status: str, overwrite: bool, stays: bool
) -> None:
    written(tmp_path / "here", 0.25, status)
    path, new = receive_cell(tmp_path / "here", written(tmp_path / "there", 0.5), CELL, overwrite)
    assert new is not stays
    assert read_cell(path)["value"].tolist() == [0.25 if stays else 0.5]


def test_bytes_that_are_no_file_of_the_cell_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    other = Cell(**{**vars(CELL), "seed": 1})
    whole = written(tmp_path / "there", 0.5)
    for data in (b"", b"no parquet", whole[:-9], written(tmp_path / "there", 0.5, cell=other)):
        with pytest.raises(ValueError, match=f"the file received for cell {CELL.key} "):
            receive_cell(tmp_path / "here", data, CELL)
    assert not [path for path in (tmp_path / "here").rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    data = written(tmp_path / "there", 0.5)
    (tmp_path / "here").write_text("a file")
    with pytest.raises(InputError, match=r"cannot write to .*; choose another folder"):
        receive_cell(tmp_path / "here", data, CELL)
