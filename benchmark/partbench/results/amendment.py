"""The file of a finished cell replaced by one that holds more, and the line of its history: one change, or none.

A submitted cell has a line in `submissions.csv` with the SHA-256 of its file. The new file is first staged in a hidden
folder. Then its line is added, which decides: from here on the change is made. Last, the file takes its place. What a
killed process leaves is finished, or undone where there is no line yet, by the next command.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from partbench.errors import InputError
from partbench.results.provenance import now, sha256
from partbench.results.submission_history import add_events, history_lock, statuses_of, submission_events
from partbench.whole_files import write_whole, writing

STAGED = ".staged"  # below the folder of results; files are named by their SHA-256


def amend(results: Path, place: str, data: bytes, by: str, reason: str) -> None:
    """Replace the file of the cell at a place below the results. A submitted cell keeps its status, with a new line.

    Raises InputError if the folder cannot be written.
    """
    path, digest = results / place, hashlib.sha256(data).hexdigest()
    with writing(results), history_lock(results):
        _finish(results)
        events = submission_events(results)
        own = [event for event in events if event.cell == path.stem.rpartition("-")[2]]
        if not own:
            write_whole(path, data)
            return
        status = statuses_of(results, events)[own[-1].cell]
        staged = results / STAGED / digest
        staged.parent.mkdir(exist_ok=True)
        write_whole(staged, data)
        add_events(results, [replace(own[-1], status=status, sha256=digest, by=by, at=now(), reason=reason)])
        staged.replace(path)


def finish_amendments(results: Path) -> None:
    """Finish or undo what a killed `amend` left in a folder of results; nothing where it cannot be written."""
    if (results / STAGED).is_dir():
        with suppress(OSError, InputError), history_lock(results):
            _finish(results)


def _finish(results: Path) -> None:
    folder = results / STAGED
    if not folder.is_dir():
        return
    last = {event.cell: event for event in submission_events(results)}
    places = {event.sha256: event.file for event in last.values()}
    for staged in folder.iterdir():
        if not staged.is_file():  # nothing that `amend` makes
            continue
        if staged.name in places and sha256(staged) == staged.name:
            staged.replace(results / places[staged.name])
        else:
            staged.unlink()
