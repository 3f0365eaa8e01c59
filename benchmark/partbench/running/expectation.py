"""What a run will take, judged by earlier cells of the same explainers. Imports no torch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from partbench.errors import InputError
from partbench.results.schema import safe_name, slug
from partbench.results.store import read_cell
from partbench.running.cell_job import cell_seconds
from partbench.running.engine import Plan, PlannedCell

NEWEST = 5  # earlier cells that are looked at for one explainer and dataset


@dataclass(frozen=True)
class Expected:
    """Of the cells of one explainer on one dataset: how many, how many to do, seconds and bytes of one of them.

    Seconds and bytes are None where there are no earlier cells.
    """

    explainer: str
    dataset: str
    cells: int
    waiting: int
    seconds: float | None
    size: float | None


def expected(plan: Plan, results: Path) -> list[Expected]:
    """What the cells of a plan will take, by explainer and dataset, as the median of earlier cells there."""
    blocks: dict[tuple[str, str], list[PlannedCell]] = {}
    for planned in plan.cells:
        blocks.setdefault((planned.cell.explainer, planned.cell.dataset), []).append(planned)
    return [_expected(results, *names, cells) for names, cells in blocks.items()]


def wall_seconds(found: Sequence[Expected], workers: int) -> float | None:
    """Seconds until all cells are done; None where some explainer has no earlier cells."""
    waiting = [one for one in found if one.waiting]
    if any(one.seconds is None for one in waiting):
        return None
    return sum(one.waiting * (one.seconds or 0.0) for one in waiting) / workers


def disk_lines(plan: Plan) -> list[str]:
    """Of each performer with cells to do, in a line: MB of its activations on disk, and at most how many more."""
    found = {str(cell.activations["name"]): cell.activations for cell in plan.waiting if cell.activations}
    return [_disk_line(str(one["of"]), one["layers"]) for one in found.values()]


def _disk_line(of: str, layers: Sequence[tuple[str, int, str]]) -> str:
    words = {"before": "stored", "shared": "to be stored", "asked": "more where an explainer asks for it"}
    told = []
    for when, text in words.items():
        some = {layer: size for layer, size, at in layers if at == when}
        if some:
            names = ", ".join(f"{layer} {megabytes(size)}" if len(some) > 1 else layer for layer, size in some.items())
            told.append(f"{megabytes(sum(some.values()))} {text} ({names})")
    return f"activations of {of} on disk: {', '.join(told)}"


def megabytes(size: float) -> str:
    """As in "1716 MB" or "0.3 MB"."""
    return f"{size / 2**20:.0f} MB" if size >= 2**20 else f"{size / 2**20:.1f} MB"


def usual(results: Path, explainer: str, dataset: str) -> tuple[float | None, float | None]:
    """Seconds and bytes of a cell, the median of the newest ones of an explainer on a dataset; None without any."""
    known = list(_earlier(results, explainer, dataset))
    if not known:
        return None, None
    return statistics.median(time for time, _ in known), statistics.median(size for _, size in known)


def _expected(results: Path, explainer: str, dataset: str, cells: Sequence[PlannedCell]) -> Expected:
    seconds, size = usual(results, explainer, dataset)
    return Expected(explainer, dataset, len(cells), sum(not one.finished for one in cells), seconds, size)


def _earlier(results: Path, explainer: str, dataset: str) -> Iterator[tuple[float, int]]:
    """Seconds and bytes of the newest cells of an explainer that did not fail: on this dataset, else on any."""
    pattern = f"{safe_name(explainer)}-*.parquet"
    paths = list(results.glob(f"{slug(dataset)}/*/{pattern}")) or list(results.glob(f"*/*/{pattern}"))
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[:NEWEST]:
        with suppress(OSError, ValueError, InputError, pa.ArrowException):
            rows = read_cell(path).astype({"metric": str, "status": str})
            if not (rows["status"] == "failed").any():
                yield cell_seconds(rows.to_dict("records")), path.stat().st_size
