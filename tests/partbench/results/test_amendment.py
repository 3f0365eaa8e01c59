"""A file and the line of its history change together, wherever the process that changes them is killed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from planted_cells import cell, rows

from partbench.results.amendment import STAGED, amend, finish_amendments
from partbench.results.provenance import now
from partbench.results.store import write_cell
from partbench.results.submission_history import (
    SELF_REPORTED,
    VERIFIED,
    WITHDRAWN,
    SubmissionEvent,
    record,
    statuses,
    submission_events,
)

CHANGES = 7  # three for each of two files that are written whole, then the one that is renamed
NEW = b"the same rows, and those of another metric"


class Killed(BaseException):
    """Ends the process, as far as files are concerned."""


class Kill:
    """Before the n-th change to a file; none is made afterwards."""

    def __init__(self, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.count = at, 0
        for name in ("fsync", "replace", "unlink"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name), name != "unlink"))

    def _counted(self, change: Callable[..., Any], counts: bool) -> Callable[..., Any]:
        def changed(*given: Any, **named: Any) -> Any:
            self.count += counts
            if self.count >= self.at:
                raise Killed
            return change(*given, **named)

        return changed


def submitted(results: Path, status: str) -> tuple[str, str, Path]:
    """A cell with a line of history: its key, its place and its file."""
    made = cell()
    path = write_cell(results, rows([1.0, 2.0]), made)
    place, digest = path.relative_to(results).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()
    record(results, [SubmissionEvent(made.key, place, digest, status, "Ann", now(), "bundle")])
    return made.key, place, path


@pytest.mark.parametrize("status", [VERIFIED, SELF_REPORTED])
@pytest.mark.parametrize("at", range(1, CHANGES + 2))
def test_a_killed_amendment_is_made_or_is_not_and_the_status_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, status: str
) -> None:
    key, place, path = submitted(tmp_path, status)
    old = path.read_bytes()
    with monkeypatch.context() as patch:
        kill = Kill(at, patch)
        try:
            amend(tmp_path, place, NEW, "Bob", "spread added")
        except Killed:
            assert at <= CHANGES
        else:
            assert (at, kill.count) == (CHANGES + 1, CHANGES)
    assert path.read_bytes() in (old, NEW)
    assert statuses(tmp_path) == {key: status}, "before the next command"
    finish_amendments(tmp_path)
    assert statuses(tmp_path) == {key: status}
    events = submission_events(tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == events[-1].sha256
    assert (path.read_bytes() == NEW) == (len(events) == 2)
    assert not list((tmp_path / STAGED).glob("*"))
    amend(tmp_path, place, NEW, "Bob", "spread added")
    assert path.read_bytes() == NEW
    assert statuses(tmp_path) == {key: status}


def test_a_cell_without_history_is_replaced_and_gets_none(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    amend(tmp_path, path.relative_to(tmp_path).as_posix(), NEW, "Bob", "spread added")
    assert path.read_bytes() == NEW
    assert not submission_events(tmp_path)


def test_a_withdrawn_cell_stays_withdrawn_and_changed_bytes_are_not_verified(tmp_path: Path) -> None:
    key, place, path = submitted(tmp_path, VERIFIED)
    path.write_bytes(b"changed by hand")
    amend(tmp_path, place, NEW, "Bob", "spread added")
    assert statuses(tmp_path) == {key: SELF_REPORTED}
    record(tmp_path, [SubmissionEvent(key, place, "", WITHDRAWN, "Ann", now())])
    amend(tmp_path, place, NEW + b"!", "Bob", "spread added")
    assert statuses(tmp_path) == {key: WITHDRAWN}


def test_what_no_amendment_has_staged_is_not_put_among_the_results(tmp_path: Path) -> None:
    _, place, path = submitted(tmp_path, VERIFIED)
    before, digest = path.read_bytes(), hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / STAGED / "folder").mkdir(parents=True)
    (tmp_path / STAGED / digest).write_bytes(b"other bytes under the name of the cell's")
    finish_amendments(tmp_path)
    assert path.read_bytes() == before
    amend(tmp_path, place, NEW, "Bob", "spread added")
    assert path.read_bytes() == NEW
