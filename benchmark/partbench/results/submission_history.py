"""Which cells of a folder of results others submitted, and how far they are trusted: `submissions.csv` in that folder.

A line is an event of one cell: accepted as self-reported, verified, scored by a further metric, withdrawn. Lines are
only added, so that the file is the history of each cell; the latest line of a cell says what it is. A cell without a
line was made by whoever keeps the folder, and is a reference.
"""

from __future__ import annotations

import csv
import datetime
import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath

from partbench.errors import InputError
from partbench.results.cell_lock import locked
from partbench.results.plain_text import inert, printable
from partbench.results.provenance import TIME, now, sha256
from partbench.whole_files import write_whole, writing

FILE = "submissions.csv"
REFERENCE, VERIFIED, SELF_REPORTED, WITHDRAWN = "reference", "verified", "self-reported", "withdrawn"
STATUSES = (VERIFIED, SELF_REPORTED, WITHDRAWN)
COLUMN = "submission_status"  # of the rows of `load_results`


@dataclass(frozen=True)
class SubmissionEvent:
    """An event of a submitted cell.

    cell, file: its key and its place in the folder of results. sha256: of its file. by: who is responsible. at: when,
    in UTC. bundle: SHA-256 of the bundle that it came in, "" if none. reason: why, in words.
    """

    cell: str
    file: str
    sha256: str
    status: str
    by: str
    at: str
    bundle: str = ""
    reason: str = ""


COLUMNS = tuple(field.name for field in fields(SubmissionEvent))


def submission_events(results: Path) -> list[SubmissionEvent]:
    """All events in order of time. Raises InputError for a file that is not one of these."""
    path = Path(results) / FILE
    try:
        text = path.read_text(encoding="utf-8-sig")  # as spreadsheets write it
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read '{path}': {error}") from error
    try:
        heading, *lines = csv.reader(io.StringIO(text, newline=""), strict=True) if text else [list(COLUMNS)]
    except csv.Error as error:
        raise InputError(f"'{path}' is no table of comma-separated values: {error}") from error
    if tuple(heading) != COLUMNS:
        raise InputError(f"'{path}' has the columns {', '.join(heading)[:200]}, expected {', '.join(COLUMNS)}")
    found = [_event(path, number, line) for number, line in enumerate(lines, 2)]
    return sorted(found, key=lambda event: event.at)  # a merge of two branches may mix the lines


def _event(path: Path, number: int, line: list[str]) -> SubmissionEvent:
    if len(line) != len(COLUMNS):
        raise InputError(f"line {number} of '{path}' has {len(line)} values, expected {len(COLUMNS)}")
    event = SubmissionEvent(*line)
    if event.status not in STATUSES:
        raise InputError(f"line {number} of '{path}' has status {event.status!r:.60}, expected {', '.join(STATUSES)}")
    try:
        datetime.datetime.strptime(event.at, TIME)
    except ValueError:
        raise InputError(f"line {number} of '{path}' has time {event.at!r:.60}, expected {now()}") from None
    place = PurePosixPath(event.file)
    if place.is_absolute() or ".." in place.parts:
        raise InputError(f"line {number} of '{path}' names {event.file!r:.200}, expected a cell below its folder")
    return event


def record(results: Path, events: Iterable[SubmissionEvent]) -> None:
    """Add events to the history, all at once or not at all. Raises InputError if the folder cannot be written."""
    with writing(results), history_lock(results):
        add_events(results, events)


def history_lock(results: Path) -> AbstractContextManager[bool]:
    """Held by whoever changes the history, or the file of a cell together with it. Not reentrant."""
    return locked(Path(results) / ".locks" / f"{FILE}.lock")


def add_events(results: Path, events: Iterable[SubmissionEvent]) -> None:
    """`record`, by whoever holds the lock. Raises OSError."""
    submission_events(results)  # what is no history is not added to
    path = Path(results) / FILE
    known = path.read_bytes() if path.exists() else b""
    known += b"" if not known or known.endswith((b"\n", b"\r")) else b"\n"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([] if known else [COLUMNS])
    writer.writerows([_text(event, name) for name in COLUMNS] for event in events)
    write_whole(path, known + buffer.getvalue().encode())


def _text(event: SubmissionEvent, name: str) -> str:
    text: str = getattr(event, name)
    return inert(text) if name in ("by", "reason") else printable(text)  # the place of a file stays as it is


def statuses(results: Path) -> dict[str, str]:
    """The status of each submitted cell by its key. Cells that are not among them are references.

    A cell whose file is none of those that its history calls verified, since it last did not, is self-reported.
    """
    return statuses_of(results, submission_events(results))


def statuses_of(results: Path, events: Iterable[SubmissionEvent]) -> dict[str, str]:
    """`statuses`, of the events of its history in order of time."""
    return {cell: _held(Path(results), own) for cell, own in histories(events).items()}


def _held(results: Path, events: Sequence[SubmissionEvent]) -> str:
    last = events[-1]
    if last.status != VERIFIED:
        return last.status
    verified = itertools.takewhile(lambda event: event.status == VERIFIED, reversed(events))
    path = results / last.file
    same = path.is_file() and sha256(path) in {event.sha256 for event in verified}
    return VERIFIED if same else SELF_REPORTED


def histories(events: Iterable[SubmissionEvent]) -> Mapping[str, list[SubmissionEvent]]:
    """Events by the key of their cell."""
    found: dict[str, list[SubmissionEvent]] = {}
    for event in events:
        found.setdefault(event.cell, []).append(event)
    return found
