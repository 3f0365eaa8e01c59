"""Bars of the numbers that an explainer reports of layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from partbench.pictures.sheet import save
from partbench.pictures.tiles import write_title
from partbench.pictures.view import View
from partbench.plugin.explainer import Remarked
from partbench.types import NotApplicable

WHOLE = "whole network"  # the bar of a share that belongs to no single layer
FONT = 8
BAR = 0.62  # inches


def draw_layers(view: View, path: Path) -> Path:
    """Draw the values per layer, and the shares, of a fitted explainer's `report()`; returns where the PNG went.

    Raises NotApplicable where it reports nothing of layers.
    """
    panels = by_layer(view.explainer.report())
    if not panels:
        raise NotApplicable(f"{view.explainer.name} reports no values of layers")
    return save(draw_layer_sheet(panels, view.title), path)


def by_layer(report: Mapping[str, float | Remarked]) -> dict[str, dict[str, float]]:
    """Values `name@layer` of a report by name and layer, in its order, and names ending in `_share` without a layer.

    Empty where there are no values of layers. Values that are not finite are left out.
    """
    panels: dict[str, dict[str, float]] = {}
    for key, reported in report.items():
        value = reported.value if isinstance(reported, Remarked) else reported
        name, _, layer = key.partition("@")
        if math.isfinite(value) and (layer or name.endswith("_share")):
            panels.setdefault(name, {})[layer or WHOLE] = float(value)
    return panels if any(set(values) != {WHOLE} for values in panels.values()) else {}


def draw_layer_sheet(panels: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """A panel for each name, a bar for each layer."""
    widths = [BAR * max(len(values), 2) + 0.9 for values in panels.values()]
    figure = Figure(figsize=(sum(widths), 2.8), dpi=110, layout="constrained")
    write_title(figure, title)
    axes = figure.subplots(1, len(panels), squeeze=False, gridspec_kw={"width_ratios": widths})[0]
    for axis, (name, values) in zip(axes, panels.items(), strict=True):
        draw_bars(axis, name, values)
    return figure


def draw_bars(axis: Axes, name: str, values: Mapping[str, float]) -> None:
    """The bars of one name, each with its value; a line at 1, which is all of it for a share or a relative error."""
    low, high = min(0.0, *values.values()), max(1.0, *values.values())
    bars = axis.bar(range(len(values)), list(values.values()), width=0.6, color="tab:blue")
    axis.bar_label(bars, fmt="%.3f", fontsize=FONT, padding=2)
    axis.axhline(1, color="grey", linestyle="--", linewidth=0.8)
    middle, reach = (len(values) - 1) / 2, max(len(values), 2) / 2 + 0.3
    axis.set(xlim=(middle - reach, middle + reach), ylim=(1.15 * low, 1.15 * high))
    axis.set_xticks(range(len(values)), list(values), fontsize=FONT)
    axis.tick_params(axis="y", labelsize=FONT)
    axis.set_title(name.replace("_", " "), fontsize=FONT)
    axis.spines[["top", "right"]].set_visible(False)
