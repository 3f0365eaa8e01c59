"""Cells that failed: their rows with the reason, and beside their file a log of what was printed. No torch."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from partbench.errors import InputError, in_one_line
from partbench.results.schema import Cell
from partbench.results.store import write_cell
from partbench.running.cell_job import CellJob, CellOutcome
from partbench.whole_files import write_whole

LONGEST_LOG = 1 << 20  # bytes of a log that are kept, the last ones

Rows = Sequence[Mapping[str, Any]]


def print_traceback(error: BaseException) -> None:
    """Print a traceback to stderr, where a plugin has not closed it."""
    with suppress(Exception):
        traceback.print_exception(error)
        sys.stderr.flush()


def write_failed(job: CellJob, cell: Cell, rows: Rows, reason: str, log: Path | None = None) -> CellOutcome:
    """Write a cell as failed: `rows` are those of its metrics without reason, `log` what the cell printed.

    An earlier file of the cell is replaced. Where the rows cannot be written the outcome has no path, and says why.
    """
    outcome = CellOutcome(job, "failed", reason=reason, columns=cell.columns)
    kept = keep_log(log, cell.path(Path(job.setting.results)))
    told = with_log(reason, kept)
    frame = pd.DataFrame([{**row, "status": "failed", "reason": told} for row in rows])
    try:
        path = write_cell(Path(job.setting.results), frame, cell, overwrite=True)
    except (InputError, OSError, ValueError) as error:
        return replace(outcome, reason=f"{told}; not written: {in_one_line(error)}")
    return replace(outcome, path=str(path), reason=told)


def with_log(reason: str, log: Path | None) -> str:
    """A reason, and where to read what was printed."""
    return f"{reason}; its output: {log.name}" if log else reason


def log_of(path: Path) -> Path:
    """Where the log of a cell lies: beside its file."""
    return path.with_suffix(".log")


def keep_log(log: Path | None, path: Path) -> Path | None:
    """Copy the end of a log beside the file of a cell; None if nothing was printed or it cannot be copied."""
    with suppress(OSError):
        if log is not None and (size := log.stat().st_size):
            with open(log, "rb") as file:
                file.seek(max(0, size - LONGEST_LOG))
                text = file.read()
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(log_of(path), text)
            return log_of(path)
    return None


def forget_log(path: Path) -> None:
    """Remove the log of an earlier failure of a cell."""
    with suppress(OSError):
        log_of(path).unlink(missing_ok=True)
