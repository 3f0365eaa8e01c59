"""Files of planted runs: whole or not at all, and never mixed with results."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from planted_cells import cell, rows

from partbench.errors import InputError
from partbench.leaderboard.build import pages
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.unused import unused_cells
from partbench.results.index import rebuild
from partbench.results.planted import (
    ORACLE,
    SCHEMA,
    is_made,
    load_planted,
    planted_folder,
    planted_path,
    write_planted,
)
from partbench.results.schema import COLUMNS
from partbench.results.store import load_evidence, load_results, write_cell

TASK = "fauna/multi:bird"


def planted_row(**changes: Any) -> dict[str, Any]:
    usual = {
        "planted": ORACLE, "subject": "parts", "level": "0", "place": 0, "task": TASK, "dataset": "fauna",
        "performer": "small_vgg", "seed": 0, "metric": "locality", "metric_version": "3", "value": 0.5, "low": 0.4,
        "high": 0.6, "higher_is_better": False, "status": "ok", "reason": "", "images": 100,
    }  # fmt: skip
    return usual | changes


def written(results: Path) -> Path:
    path = planted_path(planted_folder(results), TASK, ORACLE, "parts")
    write_planted(path, [planted_row(), planted_row(level="inverted", place=5, value=0.9)], "made of this")
    return path


def test_a_planted_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    written(tmp_path / "results")
    found = load_planted(tmp_path / "planted")
    assert found.to_dict("records") == [planted_row(), planted_row(level="inverted", place=5, value=0.9)]


def test_a_run_is_made_only_if_it_is_whole_and_of_the_same_identity(tmp_path: Path) -> None:
    path = written(tmp_path / "results")
    assert is_made(path, "made of this")
    assert not is_made(path, "made of that")
    assert not is_made(path.with_name("another.parquet"), "made of this")
    path.write_bytes(path.read_bytes()[:-9])
    assert not is_made(path, "made of this")


def test_a_damaged_planted_run_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path / "results")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.warns(UserWarning, match="ignored"):
        assert load_planted(tmp_path / "planted").empty


def test_without_planted_runs_the_frame_is_empty_and_has_all_columns(tmp_path: Path) -> None:
    found = load_planted(tmp_path / "planted")
    assert found.empty
    assert list(found) == SCHEMA.names


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "planted").write_text("a file")
    with pytest.raises(InputError, match="cannot write to"):
        written(tmp_path / "results")


def test_columns_of_planted_runs_are_not_those_of_cells() -> None:
    assert set(SCHEMA.names) - set(COLUMNS)
    assert set(COLUMNS) - set(SCHEMA.names)


def test_no_reader_of_results_sees_planted_runs(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_cell(results, rows([1.0]), cell())
    before = load_results(results)
    written(results)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after, counted = load_results(results), rebuild(results)
        assert len(load_results(results, aggregates_only=False)) == len(rows([1.0]))
    assert after.equals(before)
    assert counted["aggregates"] == len(before)
    assert set(load_evidence(results)["cell"]) <= set(before["cell"])
    evidence = load_evidence(results)
    assert pages(Sources(after, evidence), {}) == pages(Sources(before, evidence), {})
    assert unused_cells(after).equals(unused_cells(before))


def test_a_planted_file_that_is_moved_among_results_is_refused(tmp_path: Path) -> None:
    results = tmp_path / "results"
    path = write_cell(results, rows([1.0]), cell())
    shutil.copy(written(results), path.parent / "oracle-0123456789abcdef.parquet")
    with pytest.warns(UserWarning, match="columns differ"):
        found = load_results(results)
    assert set(found["explainer"]) == {"srae"}
    assert "parts" not in "".join(pages(Sources(found, load_evidence(results)), {}).values())


def test_a_cell_that_is_moved_among_planted_runs_is_refused(tmp_path: Path) -> None:
    path = write_cell(tmp_path / "results", rows([1.0]), cell())
    place = tmp_path / "planted" / "fauna" / "multi.bird"
    place.mkdir(parents=True)
    shutil.copy(path, place / path.name)
    with pytest.warns(UserWarning, match="no planted run"):
        assert load_planted(tmp_path / "planted").empty
