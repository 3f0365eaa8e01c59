"""Cells of others put among the results, and withdrawn from them, with the events in their history."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from partbench.errors import InputError
from partbench.results.amendment import finish_amendments
from partbench.results.folders import cell_paths
from partbench.results.provenance import now, sha256
from partbench.results.submission_history import (
    FILE,
    SELF_REPORTED,
    VERIFIED,
    WITHDRAWN,
    SubmissionEvent,
    record,
    statuses_of,
    submission_events,
)
from partbench.whole_files import write_whole, writing


def accept(
    results: Path, files: Mapping[str, bytes], status: str, by: str, bundle: str, reason: str = ""
) -> list[SubmissionEvent]:
    """Put cells among the results and record them; `files` are the bytes of the files by their place there.

    A self-reported cell that is there may be replaced by its verified one, whose values are those of the verification.
    Cells of this bundle that are there already, from an attempt that was interrupted, are left as they are. Raises
    InputError for a cell that is there otherwise, whose key another cell has, or if all are there, before anything is
    written.
    """
    finish_amendments(results)
    new = _new(results, [
        SubmissionEvent(_key(place), place, hashlib.sha256(data).hexdigest(), status, by, now(), bundle, reason)
        for place, data in sorted(files.items())
    ])  # fmt: skip
    record(results, new)  # first: a cell without a line counts as a reference
    for event in new:
        with writing(results):
            (results / event.file).parent.mkdir(parents=True, exist_ok=True)
            write_whole(results / event.file, files[event.file])
    return new


def expect_new(results: Path, places: Sequence[str], status: str, bundle: str) -> None:
    """Raise InputError where `accept` of cells at these places would, whatever their bytes are."""
    _new(results, [SubmissionEvent(_key(place), place, "", status, "", "", bundle, "") for place in sorted(places)])


def contents(results: Path) -> dict[str, str]:
    """The SHA-256 of each cell and of the history, by place in the folder."""
    paths = [*cell_paths(results), *(path for path in [results / FILE] if path.is_file())]
    return {path.relative_to(results).as_posix(): sha256(path) for path in paths}


def _new(results: Path, events: Sequence[SubmissionEvent]) -> list[SubmissionEvent]:
    """The events whose cells are new here. Raises InputError if none is, or if one is there otherwise."""
    there = {_key(path.name): path.relative_to(results).as_posix() for path in cell_paths(results)}
    history = submission_events(results)
    last, held = {event.cell: event for event in history}, statuses_of(results, history)
    new = [event for event in events if _to_be_written(event, events, there, last.get(event.cell), held)]
    if not new:
        before = held[events[0].cell]
        raise InputError(f"{events[0].file} is among the results already, as {before}; nothing was accepted")
    return new


def _to_be_written(
    event: SubmissionEvent, events: Sequence[SubmissionEvent], there: Mapping[str, str], last: SubmissionEvent | None,
    held: Mapping[str, str],
) -> bool:  # fmt: skip
    """Whether the cell of an event is new here; False if it was accepted from the same bundle. Raises InputError."""
    others = {one.file for one in events if one.cell == event.cell} | {there.get(event.cell, event.file)}
    if other := sorted(others - {event.file}):
        raise InputError(f"{event.file} has the key of another cell, {other[0]}; nothing was accepted")
    before = held.get(event.cell, "a reference")
    if event.cell not in there or (before, event.status) == (SELF_REPORTED, VERIFIED):
        return True
    if last is not None and (before, last.bundle) == (event.status, event.bundle):
        return False
    raise InputError(f"{event.file} is among the results already, as {before}; nothing was accepted")


def withdraw(results: Path, place: str, by: str, reason: str) -> SubmissionEvent:
    """Withdraw the cell at this place; its file and its history stay.

    Raises InputError if it is withdrawn already, or is not there.
    """
    finish_amendments(results)
    key = _key(place)
    if not (results / place).is_file():
        raise InputError(f"no cell {place} in {results}; name the folder it lies in with --results")
    history = [event for event in submission_events(results) if event.cell == key]
    if history and history[-1].status == WITHDRAWN:
        raise InputError(f"{key} is withdrawn already; its history is in {results / FILE}")
    bundle = history[-1].bundle if history else ""
    event = SubmissionEvent(key, place, sha256(results / place), WITHDRAWN, by, now(), bundle, reason)
    record(results, [event])
    return event


def _key(place: str) -> str:
    return Path(place).stem.rpartition("-")[2]
