"""A panel of square pictures with captions, all on one axis: matplotlib needs more time for an axis than a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

FONT = 7
LETTER = 0.062  # inches a letter takes
TITLE, TITLE_LETTER = 8.5, 0.068  # font of titles, and inches a letter of it takes
CAPTION = 0.17  # room for one, between rows
GAP = 0.06  # between columns, and around all of them


@dataclass(frozen=True)
class Tile:
    """A square of a panel whose `axis` is in inches, y downwards; marks are placed in pixels of the image it shows."""

    axis: Axes
    left: float
    top: float
    side: float

    def show(self, image: Float[np.ndarray, "H W *c"], **style: Any) -> None:
        """Draw a square image, in colours in [0, 1] or as `style`, that of `Axes.imshow`, maps its values."""
        if image.ndim == 3:  # resized here, since matplotlib takes twice as long for it
            pixels = max(1, round(self.side * self.axis.figure.dpi))
            image = cv2.resize(np.round(255 * image).astype(np.uint8), (pixels, pixels), interpolation=cv2.INTER_AREA)
            style = {"interpolation": "nearest"} | style
        extent = (self.left, self.left + self.side, self.top + self.side, self.top)
        self.axis.imshow(image, extent=extent, aspect="auto", **style)

    def at(self, points: Float[np.ndarray, "n 2"], pixels: int) -> Float[np.ndarray, "n 2"]:
        """Where x, y in px of an image of `pixels` x `pixels` lie (docs/coordinates.md)."""
        return np.asarray(points) * (self.side / pixels) + (self.left, self.top)

    def caption(self, text: str) -> None:
        """Text above; of a line wider than the square its end alone: ids and captions of concepts end in numbers."""
        middle, room = self.left + self.side / 2, int(self.side / LETTER)
        lines = text.split("\n")
        shown = "\n".join(line if len(line) <= room else f"…{line[len(line) - room + 1 :]}" for line in lines)
        self.axis.text(middle, self.top - 0.03, shown, fontsize=FONT, ha="center", va="bottom")

    def label(self, text: str) -> None:
        """Text on the left, upwards."""
        middle = self.top + self.side / 2
        self.axis.text(self.left - 0.06, middle, text, fontsize=FONT, ha="right", va="center", rotation=90)

    def beside(self, start: float, wide: float) -> Axes:
        """A new axis as high as this square and `wide` times as wide, `start` times its side from its left."""
        panel = self.axis.figure
        width, height = inches(panel)
        left, bottom = self.left + start * self.side, height - self.top - self.side
        return panel.add_axes((left / width, bottom / height, wide * self.side / width, self.side / height))


def tiles(
    panel: Figure | SubFigure,
    title: str,
    rows: int,
    columns: int,
    *,
    above: float = 0.06,
    captions: float = CAPTION,
    left: float = GAP,
    right: float = GAP,
) -> list[list[Tile]]:
    """Rows of squares that fill a panel, under a title; room in inches is left `above` the title, for the `captions`
    of the first row, and on both sides."""
    width, height = inches(panel)
    write_title(panel, title, y=1 - above / height, va="top")
    axis = panel.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(height, 0))
    axis.set_axis_off()
    top = above + captions + 0.2
    across, down = (width - left - right + GAP) / columns, (height - top - GAP + CAPTION) / rows
    side = min(across - GAP, down - CAPTION)
    inset = left + (across - GAP - side) / 2
    return [[Tile(axis, inset + j * across, top + i * down, side) for j in range(columns)] for i in range(rows)]


def write_title(panel: Figure | SubFigure, title: str, **place: Any) -> None:
    """A title of one line; options in its brackets are cut where the panel is too narrow for them."""
    over = len(title) - int(inches(panel)[0] / TITLE_LETTER)
    before, bracket, rest = title.partition(" (")
    options, closing, after = rest.rpartition(")")
    if over > 0 and bracket and closing:
        title = f"{before} ({options[: max(0, len(options) - over - 1)]}…){after}"
    panel.suptitle(title, fontsize=TITLE, **place)


def inches(panel: Figure | SubFigure) -> tuple[float, float]:
    """Width and height of a panel."""
    return panel.bbox.width / panel.dpi, panel.bbox.height / panel.dpi
