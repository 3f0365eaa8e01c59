"""All pictures of a fitted explainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from partbench.filter_pictures import draw_filters
from partbench.pictures import draw
from partbench.task import Task
from partbench.types import Explainer, NotApplicable
from partbench.workbench import Workbench


def draw_pictures(
    workbench: Workbench, task: Task, explainer: Explainer, path: Path, indices: Sequence[int] | None = None
) -> list[Path]:
    """Draw concepts by contribution at `path` and, where there are filters, `<stem>-filters.png` beside it.

    Returns where the PNGs went. `indices` are the test images to show, by default four.
    """
    drawn = [draw(workbench, task, explainer, path, indices)]
    beside = path.with_name(f"{path.stem}-filters.png")
    try:
        return [*drawn, draw_filters(workbench, task, explainer, beside, indices)]
    except NotApplicable:  # the explainer's concepts are no filters
        return drawn
