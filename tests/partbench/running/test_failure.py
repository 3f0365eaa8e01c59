"""Failed cells: their rows, and the log beside their file."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_cells import cell, rows

from partbench.results.store import read_cell, write_cell
from partbench.running.cell_job import CellJob, Setting
from partbench.running.failure import LONGEST_LOG, forget_log, keep_log, log_of, write_failed

BLANK = [row | {"value": float("nan")} for metric in ("a", "b") for row in rows([0.5], metric)[:1]]


def job(folder: Path) -> CellJob:
    return CellJob("srae", {}, "fauna/multi:cat", 0, Setting(str(folder)))


def test_every_metric_of_a_failed_cell_has_the_reason_and_the_name_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("what was printed")
    outcome = write_failed(job(tmp_path / "r"), cell(), BLANK, "killed", tmp_path / "log")
    assert outcome.path == str(cell().path(tmp_path / "r"))
    found = read_cell(Path(outcome.path))
    assert set(found["reason"]) == {outcome.reason} == {f"killed; its output: {log_of(Path(outcome.path)).name}"}
    assert found["status"].tolist() == ["failed", "failed"]
    assert log_of(Path(outcome.path)).read_text() == "what was printed"


def test_an_earlier_file_of_the_cell_is_replaced(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([0.5]), cell())
    outcome = write_failed(job(tmp_path), cell(), BLANK, "killed")
    assert (outcome.path, outcome.reason) == (str(path), "killed")
    assert set(read_cell(path)["status"]) == {"failed"}


def test_a_folder_that_cannot_be_written_is_part_of_the_reason(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("a file")
    outcome = write_failed(job(tmp_path / "r"), cell(), BLANK, "killed")
    assert outcome.path is None
    assert outcome.failed
    assert outcome.reason.startswith("killed; not written: ")


@pytest.mark.parametrize(("text", "kept"), [(b"", None), (b"a" * (LONGEST_LOG + 5) + b"end", LONGEST_LOG)])
def test_the_end_of_a_log_is_kept(tmp_path: Path, text: bytes, kept: int | None) -> None:
    (tmp_path / "log").write_bytes(text)
    found = keep_log(tmp_path / "log", tmp_path / "r" / "cell.parquet")
    assert (None if found is None else len(found.read_bytes())) == kept
    if found is not None:
        assert found.read_bytes().endswith(b"end")
        forget_log(tmp_path / "r" / "cell.parquet")
        assert not found.exists()
