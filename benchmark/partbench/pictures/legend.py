"""What the colours and numbers of a picture mean, in a strip below it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, SubFigure

from partbench.pictures.tiles import FONT, LETTER, inches
from partbench.types import Batch

LINE = 0.15  # inches from line to line
SQUARE = 0.22  # inches a square and the gap before the next one take
# Dark or full colours, then their light ones, then muted ones: the 24 classes of fauna_scenes have a colour each.
PART_COLOURS = ListedColormap(
    [mpl.colormaps["tab10"](k) for k in range(10)]
    + [mpl.colormaps["tab20"](k) for k in range(1, 20, 2)]
    + [mpl.colormaps["tab20b"](k) for k in range(0, 20, 4)]
)
HEAT = mpl.colormaps["inferno"]


def shown_parts(batch: Batch, part_names: Sequence[str], landmark_names: Sequence[str]) -> list[tuple[int, str]]:
    """Index and name of the parts outlined on any image, or of the landmarks dotted where there are no masks."""
    if batch.masks is not None:
        seen, names = batch.masks.flatten(2).any(2).any(0), part_names
    elif batch.landmarks is not None:
        seen, names = batch.landmarks.isfinite().all(2).any(0), landmark_names
    else:
        return []
    return [(part, name) for part, name in enumerate(names) if bool(seen[part])]


def outline_colour(part: int) -> tuple[float, float, float, float]:
    """The colour of a part, the same in all pictures. Colours repeat after 25 parts."""
    return PART_COLOURS(part % PART_COLOURS.N)


def legend_height(width: float, parts: Sequence[tuple[int, str]], lines: Sequence[str]) -> float:
    """Inches that a legend needs on a figure of this width."""
    return LINE * (len(_rows(width, parts)) + len(lines)) + 0.1


def draw_legend(
    panel: Figure | SubFigure, parts: Sequence[tuple[int, str]], lines: Sequence[str], bar: bool = False
) -> None:
    """Parts with their colours, then lines of text; with `bar` the last line begins with the colours of maps."""
    width, height = inches(panel)
    axis = panel.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(height, 0))
    axis.set_axis_off()
    y = LINE / 2
    for row in _rows(width, parts):
        for x, (part, name) in row:
            axis.plot(x + 0.05, y, "s", markersize=5, color=outline_colour(part))
            axis.text(x + 0.13, y, name, fontsize=FONT, va="center")
        y += LINE
    for place, line in enumerate(lines):
        barred = bar and place == len(lines) - 1
        if barred:
            _draw_bar(axis, 0.07, y)
        axis.text(0.95 if barred else 0.06, y, line, fontsize=FONT, va="center")
        y += LINE


def _draw_bar(axis: Axes, x: float, y: float) -> None:
    grey = np.full((1, 64, 3), 0.6)
    axis.imshow(heated(grey, np.linspace(0, 1, 64)[None]), extent=(x, x + 0.8, y + 0.05, y - 0.05), aspect="auto")


def heated(grey: Float[np.ndarray, "H W 3"], heat: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 3"]:
    """Heat in [0, 1] over a grey image: 0 leaves it as it is."""
    alpha = np.clip(heat * 1.2, 0, 0.8)[:, :, None]
    return ((1 - alpha) * grey + alpha * HEAT(heat)[:, :, :3]).clip(0, 1)


def _rows(width: float, parts: Sequence[tuple[int, str]]) -> list[list[tuple[float, tuple[int, str]]]]:
    """The parts with their places from the left, in as many rows as they need."""
    rows: list[list[tuple[float, tuple[int, str]]]] = []
    x = width
    for part in parts:
        wide = SQUARE + LETTER * len(part[1])
        if x + wide > width:
            rows.append([])
            x = 0.06
        rows[-1].append((x, part))
        x += wide
    return rows
