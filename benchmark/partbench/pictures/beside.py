"""Filters of an explainer beside the performer's: the test images that activate them most, with their regions outlined.

The layout is that of Fig. 4 of Zhang et al., "Unsupervised Learning of Neural Networks to Explain Neural Networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from matplotlib.figure import Figure

from partbench.pictures.filters import INCH, FilterSheet, draw_top_images, explain_filters
from partbench.pictures.sheet import save
from partbench.pictures.tiles import write_title
from partbench.pictures.view import SHOWN, View
from partbench.plugin.explainer import Explainer
from partbench.task import Task
from partbench.training_task import TrainingTask
from partbench.types import Explanation, Images, NotApplicable


class OrdinaryFilters(Explainer):
    """The filters of the performer's top convolution (or of its target layer, if it has none) as an explainer."""

    name: ClassVar[str] = "the performer"

    def __init__(self, task: Task) -> None:
        self.fit(task.training)

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned."""
        self.performer, self.role = task.performer, "top_conv" if task.performer.has("top_conv") else "target"
        self.grid = task.performer.receptive_field(self.role)

    def explain(self, images: Images) -> Explanation:
        """Activations of the filters."""
        maps = images.activations(self.role).relu()
        return Explanation(maps, grid=self.grid, scores=maps.amax((2, 3)))

    @property
    def layer(self) -> str:
        """The layer's own name."""
        return self.performer.layer(self.role)


def draw_beside(view: View, path: Path) -> Path:
    """Draw the most active filters of a fitted explainer and of its task's performer; returns where the PNG went.

    Raises NotApplicable where the explainer has no filters, or they are the performer's.
    """
    task, explainer, filters = view.task, view.explainer, OrdinaryFilters(view.task)
    ordinary = view.of(filters)
    if same_maps(view.explanation, ordinary.explanation):
        raise NotApplicable(f"the filters of {explainer.name} are the performer's own")
    sheets = [explain_filters(view), explain_filters(ordinary)]
    titles = [f"filters of {explainer.name}", f"ordinary filters of {task.performer.name}, layer {filters.layer}"]
    return save(draw_beside_sheet(sheets, titles, f"{view.named} and its performer on {task.name}"), path)


def same_maps(one: Explanation, other: Explanation) -> bool:
    """Whether both have the same maps at hand."""
    if any(not each.has("maps") or each.maps_on_demand for each in (one, other)):
        return False
    return one.maps.shape == other.maps.shape and torch.allclose(one.maps, other.maps)


def draw_beside_sheet(sheets: Sequence[FilterSheet], titles: Sequence[str], title: str) -> Figure:
    """One panel per sheet, one row per filter."""
    wide, high = len(sheets) * (SHOWN + 0.4) * INCH, SHOWN * INCH * 1.17 + 0.4
    figure = Figure(figsize=(wide, high), dpi=110)
    write_title(figure, title, y=1 - 0.05 / high, va="top")
    panels = figure.subfigures(1, len(sheets), squeeze=False).flat
    for panel, sheet, text in zip(panels, sheets, titles, strict=True):
        draw_top_images(panel, sheet, f"{text}: test images that activate a filter most, and its score")
    return figure
