"""The history of published cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from partbench.errors import InputError
from partbench.results.provenance import sha256
from partbench.results.submission_history import (
    COLUMNS,
    FILE,
    SELF_REPORTED,
    VERIFIED,
    WITHDRAWN,
    SubmissionEvent,
    record,
    statuses,
    submission_events,
)


def event(results: Path, status: str = VERIFIED, at: str = "2026-01-01T00:00:00Z") -> SubmissionEvent:
    path = results / "x.parquet"
    path.write_bytes(b"rows")
    return SubmissionEvent("abc", "x.parquet", sha256(path), status, "Ann", at, reason='it, "as" said')


def test_events_are_added_and_the_latest_counts_whatever_the_order_of_lines(tmp_path: Path) -> None:
    later = event(tmp_path, WITHDRAWN, "2026-03-01T00:00:00Z")
    earlier = event(tmp_path, VERIFIED, "2026-02-01T00:00:00Z")
    record(tmp_path, [later])
    record(tmp_path, [earlier])
    assert submission_events(tmp_path) == [earlier, later]
    assert statuses(tmp_path) == {"abc": WITHDRAWN}


def test_a_verified_cell_whose_file_was_changed_is_self_reported(tmp_path: Path) -> None:
    record(tmp_path, [event(tmp_path)])
    assert statuses(tmp_path) == {"abc": VERIFIED}
    (tmp_path / "x.parquet").write_bytes(b"other rows")
    assert statuses(tmp_path) == {"abc": SELF_REPORTED}


def test_a_text_of_several_lines_stays_one_event(tmp_path: Path) -> None:
    record(tmp_path, [replace(event(tmp_path), reason="one\ntwo\x1b[31m")])
    assert len((tmp_path / FILE).read_text().splitlines()) == 2
    assert submission_events(tmp_path)[0].reason == "one two\N{REPLACEMENT CHARACTER}[31m"


HEADING = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n", "has the columns a, b, expected cell, file"),
        (f"{HEADING}\nabc,x\n", "line 2 of .* has 2 values, expected 8"),
        (f"{HEADING}\nabc,x,0,trusted,Ann,2026-01-01T00:00:00Z,,\n", "status 'trusted', expected verified"),
        (f"{HEADING}\nabc,x,0,verified,Ann,yesterday,,\n", "time 'yesterday', expected 2"),
        (f"{HEADING}\nabc,../x,0,verified,Ann,2026-01-01T00:00:00Z,,\n", "names '../x', expected a cell below its"),
        (f"{HEADING}\nabc,/x,0,verified,Ann,2026-01-01T00:00:00Z,,\n", "names '/x', expected a cell below its"),
        (f'{HEADING}\n"abc', "is no table of comma-separated values"),
    ],
)
def test_a_file_that_is_no_history_ends_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=says):
        statuses(tmp_path)
    with pytest.raises(InputError, match=says):
        record(tmp_path, [event(tmp_path)])
    assert (tmp_path / FILE).read_text() == text


def test_a_file_that_is_no_text_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot read"):
        statuses(tmp_path)


@pytest.mark.parametrize("edit", [
    lambda data: data.rstrip(b"\n"),
    lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
])  # fmt: skip
def test_a_history_that_an_editor_or_a_spreadsheet_has_written_again_is_added_to(
    tmp_path: Path, edit: Callable[[bytes], bytes]
) -> None:
    record(tmp_path, [event(tmp_path)])
    path = tmp_path / FILE
    path.write_bytes(edit(path.read_bytes()))
    later = replace(event(tmp_path, WITHDRAWN, "2026-01-02T00:00:00Z"), reason="=HYPERLINK(1)")
    record(tmp_path, [later])
    assert [one.status for one in submission_events(tmp_path)] == [VERIFIED, WITHDRAWN]
    assert submission_events(tmp_path)[-1].reason == "'=HYPERLINK(1)"  # which a spreadsheet shows, and does not compute
