"""Curves of the values that an explainer watched along its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from partbench.pictures.sheet import save
from partbench.pictures.tiles import write_title
from partbench.pictures.view import View
from partbench.types import NotApplicable

FONT = 8
WIDE = 2.8  # inches to a panel


def draw_curves(view: View, path: Path) -> Path:
    """Draw the values along the training of a fitted explainer, and of its `baseline()`, see `View.compared`.

    Returns where the PNG went. Raises NotApplicable where it watched nothing.
    """
    curves = {each.name: each.curves() for each in view.compared}
    if not curves[view.explainer.name]:
        raise NotApplicable(f"{view.explainer.name} has no values along its training")
    return save(draw_curve_sheet(curves, view.title), path)


def draw_curve_sheet(curves: Mapping[str, Mapping[str, Sequence[float]]], title: str) -> Figure:
    """A panel for each name of the first explainer's curves, with a line for each explainer that has it."""
    names = list(next(iter(curves.values())))
    figure = Figure(figsize=(WIDE * len(names), 2.6), dpi=110, layout="constrained")
    write_title(figure, title)
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for explainer, watched in curves.items():
            if name in watched:
                axis.plot(range(1, len(watched[name]) + 1), watched[name], label=explainer, linewidth=1.2)
        axis.set_title(name.replace("_", " "), fontsize=FONT)
        axis.set_xlabel("epoch", fontsize=FONT)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.tick_params(labelsize=FONT)
        axis.spines[["top", "right"]].set_visible(False)
        if len(curves) > 1:
            axis.legend(fontsize=FONT, frameon=False)
    return figure
