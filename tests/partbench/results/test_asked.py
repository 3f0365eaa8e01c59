from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from planted_cells import NOON, cell, rows

from partbench.errors import InputError
from partbench.leaderboard.current import current
from partbench.results.asked import forget, last_requests, record
from partbench.results.store import ask_again, load_results, write_cell

LATER = NOON + datetime.timedelta(hours=1)
OLD, NEW = cell(plugin_digest="old"), cell(plugin_digest="new")


def two_versions(folder: Path) -> None:
    """A cell of older code, and one of the same explainer made an hour later with newer code."""
    write_cell(folder, rows([1.0]), OLD)
    write_cell(folder, [row | {"created_at": LATER} for row in rows([2.0])], NEW)


def shown(folder: Path) -> list[float]:
    return current(load_results(folder))["value"].tolist()


def test_pages_show_the_cell_that_was_asked_for_last(tmp_path: Path) -> None:
    two_versions(tmp_path)
    assert shown(tmp_path) == [2.0]
    assert ask_again(tmp_path, OLD)
    assert shown(tmp_path) == [1.0]
    assert ask_again(tmp_path, NEW)
    assert shown(tmp_path) == [2.0]
    assert ask_again(tmp_path, OLD)
    assert shown(tmp_path) == [1.0]


def test_nothing_is_recorded_where_pages_show_the_cell_already(tmp_path: Path) -> None:
    two_versions(tmp_path)
    write_cell(tmp_path, rows([3.0]), cell(seed=1, plugin_digest="old"))
    assert ask_again(tmp_path, NEW) is None
    assert ask_again(tmp_path, cell(seed=1, plugin_digest="old")) is None
    assert list(tmp_path.rglob("*.asked")) == []


def test_a_cell_has_one_record_and_its_values_stay(tmp_path: Path) -> None:
    two_versions(tmp_path)
    before = OLD.path(tmp_path).read_bytes()
    for wanted in (OLD, NEW, OLD):
        ask_again(tmp_path, wanted)
    assert len(list(tmp_path.rglob("*.asked"))) == 2
    assert OLD.path(tmp_path).read_bytes() == before
    forget(OLD.path(tmp_path))
    assert shown(tmp_path) == [2.0]


def test_the_last_of_two_branches_records_counts(tmp_path: Path) -> None:
    times = [datetime.datetime(2026, 1, day, tzinfo=datetime.UTC) for day in (3, 1)]
    names = [record(tmp_path / "srae-00ff.parquet", times[0]).name]
    names.append("srae-00ff.20260101T000000000000Z.asked")
    assert last_requests([*names, "foreign.asked", "srae-00ff.yesterday.asked"]) == {"srae-00ff.parquet": times[0]}


def test_a_record_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        record(tmp_path / "nothing" / "srae-00ff.parquet")
