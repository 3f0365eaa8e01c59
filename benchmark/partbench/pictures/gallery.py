"""All pictures of a fitted explainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from partbench.opening import Workbench
from partbench.pictures.attention import draw_attention
from partbench.pictures.beside import draw_beside
from partbench.pictures.contributions import draw_contributions
from partbench.pictures.curves import draw_curves
from partbench.pictures.filters import draw_filters
from partbench.pictures.layers import draw_layers
from partbench.pictures.sheet import draw
from partbench.pictures.view import View, view
from partbench.plugin.explainer import Explainer
from partbench.task import Task
from partbench.types import NotApplicable

FURTHER = {
    "filters": draw_filters,
    "beside": draw_beside,
    "gradcam": draw_attention,
    "layers": draw_layers,
    "contributions": draw_contributions,
    "training": draw_curves,
}


def draw_pictures(
    workbench: Workbench,
    task: Task,
    explainer: Explainer,
    path: Path,
    indices: Sequence[int] | None = None,
    *,
    label: str = "",
) -> list[Path]:
    """Draw concepts by contribution at `path` and, beside it, `<stem>-<name>.png` for all of FURTHER that apply.

    Returns where the PNGs went. `indices` are the test images to show, by default four; `label` is the explainer in
    titles, with its options.
    """
    seen = view(workbench, task, explainer, indices, label)
    return [draw(seen, path), *_further(seen, path)]


def _further(seen: View, path: Path) -> Iterator[Path]:
    for name, draw_further in FURTHER.items():
        try:
            yield draw_further(seen, path.with_name(f"{path.stem}-{name}.png"))
        except NotApplicable:  # the explainer lacks what this picture shows
            continue
