"""What explainers cost in time and memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Cost:
    """Means over the cells of an explainer: seconds to fit a task, seconds to explain an image; most MB in use."""

    fit_seconds: float | None
    image_seconds: float | None
    peak_mb: float | None


def costs(rows: pd.DataFrame) -> Iterator[tuple[str, str, Cost]]:
    """Board, label and cost of every explainer that has a cell that did not fail; `rows` are those of `current`."""
    cells = rows[rows["status"] != "failed"]
    images = cells.groupby("cell")["images"].transform("max")
    cells = cells.assign(image_seconds=cells["explain_seconds"] / images.where(images > 0)).drop_duplicates("cell")
    found = cells.groupby(["board", "label"], sort=True).agg(
        fit=("fit_seconds", "mean"), image=("image_seconds", "mean"), peak=("peak_memory_mb", "max")
    )
    for board, name, *numbers in found.reset_index().itertuples(index=False):
        yield board, name, Cost(*map(_known, numbers))


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
