"""Which cell was asked for last, where several have the same explainer, options, task and seed.

A page shows the cell made last. When older code is run again, its cell is finished and not made anew; an empty file
beside it, `<cell>.<time>.asked`, records the request. Its name holds all there is to say, so that git merges requests
of two branches without a conflict. There is a record only where the page would show another cell.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

from partbench.errors import InputError
from partbench.results.folders import ASKED

_STAMP = "%Y%m%dT%H%M%S%fZ"


def record(path: Path, now: datetime.datetime | None = None) -> Path:
    """Record that a finished cell was asked for (now), instead of the records of earlier requests.

    Raises InputError if the folder cannot be written.
    """
    stamp = (now or datetime.datetime.now(datetime.UTC)).strftime(_STAMP)
    made = path.with_name(f"{path.stem}.{stamp}{ASKED}")
    try:
        made.touch()
        forget(path, but=made)
    except OSError as error:
        raise InputError(f"cannot write to '{path.parent}': {error.strerror or error}") from error
    return made


def forget(path: Path, but: Path | None = None) -> None:
    """Remove the records of requests for a cell, but one."""
    for record in path.parent.iterdir():
        if _cell_and_time(record.name)[0] == path.stem and record != but:
            record.unlink(missing_ok=True)


def last_requests(names: Iterable[str]) -> dict[str, datetime.datetime]:
    """The time of the last request by file of a cell, from the names of records; other names are ignored."""
    times: dict[str, datetime.datetime] = {}
    for cell, time in map(_cell_and_time, names):
        if time:
            times[f"{cell}.parquet"] = max(time, times.get(f"{cell}.parquet", time))
    return times


def _cell_and_time(name: str) -> tuple[str, datetime.datetime | None]:
    cell, _, stamp = name.removesuffix(ASKED).rpartition(".")
    try:
        return cell, datetime.datetime.strptime(stamp, _STAMP).replace(tzinfo=datetime.UTC)
    except ValueError:
        return "", None
