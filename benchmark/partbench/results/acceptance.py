"""Cells of others put among the results, and withdrawn from them, with the events in their history."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from partbench.errors import InputError
from partbench.results.publication import (
    SELF_REPORTED,
    VERIFIED,
    WITHDRAWN,
    Publication,
    now,
    publications,
    record,
    sha256,
    statuses,
)
from partbench.results.sealed import write_whole, writing


def accept(
    results: Path, files: Mapping[str, Path], status: str, by: str, bundle: str, reason: str = ""
) -> list[Publication]:
    """Copy cells among the results and record them; `files` are the files by their place there.

    A self-reported cell that is there may be replaced by its verified one, whose values are those of the verification.
    Raises InputError for a cell that is there as a reference, verified or withdrawn, before anything is written.
    """
    known = {event.file: event.cell for event in publications(results)}
    held, events = statuses(results), []
    for place in sorted(files):
        before = held.get(known.get(place, ""), "a reference")
        if (results / place).exists() and (before, status) != (SELF_REPORTED, VERIFIED):
            raise InputError(f"{place} is among the results already, as {before}; nothing was accepted")
    for place, path in sorted(files.items()):
        with writing(results):
            (results / place).parent.mkdir(parents=True, exist_ok=True)
            write_whole(results / place, path.read_bytes())
        events.append(Publication(_key(place), place, sha256(results / place), status, by, now(), bundle, reason))
    record(results, events)
    return events


def withdraw(results: Path, place: str, by: str, reason: str) -> Publication:
    """Withdraw the cell at this place; its file and its history stay. Raises InputError if it is withdrawn already."""
    key = _key(place)
    if statuses(results).get(key) == WITHDRAWN:
        raise InputError(f"{key} is withdrawn already; its history is in {results / 'published.csv'}")
    bundles = [event.bundle for event in publications(results) if event.cell == key]
    event = Publication(
        key, place, sha256(results / place), WITHDRAWN, by, now(), bundles[-1] if bundles else "", reason
    )
    record(results, [event])
    return event


def _key(place: str) -> str:
    return Path(place).stem.rpartition("-")[2]
