"""Filters: the images that activate each one most, maps and masks, and where on an image filters are active.

The panels are those of Figs. 5, 4 and 6 of Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from partbench.functional.maps import on_image, peaks, strength
from partbench.pictures.sheet import outline, overlay, resize, save
from partbench.pictures.tiles import Tile, tiles, write_title
from partbench.pictures.top_images import TopImages, part_density
from partbench.pictures.view import SHOWN, View
from partbench.types import Explanation

MAPS = 6  # to a row
LOCATED = 4  # images whose maps are shown, and on which all filters vote
DARK = 0.7  # of the brightness, outside what a filter sees
INCH = 1.3
OUTLINE = "gold"
PANEL = {"above": 0.3, "left": 0.32}  # below the title of the figure, beside the numbers of filters


@dataclass(frozen=True)
class FilterSheet:
    """What the picture needs: images by row of the test split, and the first ones explained, which `rows` are."""

    top: TopImages
    explanation: Explanation
    rows: list[int]
    masking: tuple[Float[Tensor, "n k h w"], Float[Tensor, "n k h w"]] | None
    images: dict[int, Float[np.ndarray, "H W 3"]]
    pixels: int  # side of the images that were explained
    part_names: tuple[str, ...] = ()


def draw_filters(view: View, path: Path) -> Path:
    """Draw the filters of a fitted explainer; returns the path of the PNG.

    The first four images of the view are those whose maps and part locations are shown. Where the
    explainer has maps before they were masked, these and the masks are drawn too.
    Raises NotApplicable where there are no maps of at least 8 concepts, or no filter is active.
    """
    return save(draw_filter_sheet(explain_filters(view), f"filters of {view.title}"), path)


def explain_filters(view: View) -> FilterSheet:
    """What the picture shows of a view."""
    top, rows = view.top, view.rows[:LOCATED]
    images = view.images([*top.rows[top.chosen(SHOWN)].flatten().tolist(), *rows])
    masking = view.explainer.unmasked(view.batch.images)
    return FilterSheet(top, view.explanation, rows, masking, images, view.batch.pixels.shape[-1], view.part_names)


def spotlight(image: Float[np.ndarray, "H W 3"], heat: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 3"]:
    """The image, grey and dark but where the map exceeds half of its peak."""
    grey = image.mean(-1, keepdims=True)
    return np.where((heat > 0.5 * heat.max())[..., None], image, DARK * grey)


def draw_filter_sheet(sheet: FilterSheet, title: str) -> Figure:
    """Left: the images that activate filters most. Right: maps and masks above, part locations below."""
    wide, high = (SHOWN + MAPS + 1.5) * INCH, SHOWN * INCH * 1.17 + 0.4
    figure = Figure(figsize=(wide, high), dpi=110)
    write_title(figure, title, y=1 - 0.05 / high, va="top")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(SHOWN + 0.3, MAPS + 1.2)).flat
    above, below = right.subfigures(2, 1, squeeze=False, height_ratios=(LOCATED, SHOWN - LOCATED)).flat
    draw_top_images(
        left,
        sheet,
        "test images that activate a filter most, and its score; bright: map above half of its peak, circle: peak",
    )
    draw_maps(above, sheet)
    draw_locations(below, sheet)
    return figure


def draw_top_images(panel: SubFigure, sheet: FilterSheet, title: str) -> None:
    """One row per filter: the images that activate it most, dark outside what it sees, a ring at the peak (Fig. 5)."""
    filters = sheet.top.chosen(SHOWN)
    top = Explanation(sheet.top.maps[filters], grid=sheet.explanation.grid)
    heat = top.heatmaps(sheet.pixels, sheet.pixels)
    rings = on_image(peaks(top, (sheet.pixels, sheet.pixels))[1], sheet.pixels)
    squares = tiles(panel, title, SHOWN, SHOWN, **PANEL)
    for row, number in enumerate(filters):
        squares[row][0].label(row_label(sheet, number))
        for column, index in enumerate(sheet.top.rows[number].tolist()):
            if float(heat[row, column].max()) > 0:
                tile, image = squares[row][column], sheet.images[index]
                seen = resize(heat[row, column][None], len(image))[0]
                tile.show(spotlight(image, seen))
                outline(tile, seen > 0.5 * seen.max(), OUTLINE)
                ring(tile, rings[row, column], sheet.pixels)
                tile.caption(f"{float(sheet.top.scores[number, column]):.2f}")


def row_label(sheet: FilterSheet, number: int) -> str:
    """The filter's number, and its part where it has one."""
    parts = sheet.explanation.parts
    part = -1 if parts is None else int(parts[number])
    return f"filter {number}" if part < 0 else f"filter {number}: {sheet.part_names[part]}"


def ring(tile: Tile, position: Float[Tensor, "2"], pixels: int) -> None:
    """A small ring at x, y in px of an image of `pixels` x `pixels`."""
    x, y = tile.at(position.cpu().numpy(), pixels)
    tile.axis.plot(x, y, "o", markersize=4, markerfacecolor="none", markeredgecolor="red", markeredgewidth=0.8)


def draw_maps(panel: SubFigure, sheet: FilterSheet) -> None:
    """One row per image: its strongest filters; the map alone, or map, mask and masked map (Fig. 4)."""
    shown = {"map": sheet.explanation.maps.detach().cpu()}
    if sheet.masking is not None:
        before, masks = (value.detach().cpu() for value in sheet.masking)
        shown = {"map": before, "mask": masks, "masked": shown["map"]}
    alive = sheet.top.maps.flatten(1).amax(1) > 0
    order = torch.where(alive, strength(sheet.explanation), -torch.inf).argsort(descending=True, stable=True)
    squares = tiles(panel, "maps of the strongest filters of an image", LOCATED, 1 + MAPS, **PANEL)
    for row, index in enumerate(sheet.rows):
        squares[row][0].show(sheet.images[index])
        cells = [(number, what) for number in order[row, : MAPS // len(shown)].tolist() for what in shown]
        for tile, (number, what) in zip(squares[row][1:], cells, strict=True):
            highest = 1.0 if what == "mask" else float(shown["map"][row, number].max()) or 1.0
            tile.show(
                shown[what][row, number].numpy(), cmap="gray" if what == "mask" else "inferno", vmin=0, vmax=highest
            )
            tile.caption(f"filter {number}" if what == "map" else what)


def draw_locations(panel: SubFigure, sheet: FilterSheet) -> None:
    """Where all filters together see parts (Fig. 6)."""
    density = part_density(sheet.explanation, sheet.top.scores[:, 0], sheet.pixels)
    title = "where all filters peak, each weighted by its score over its highest score"
    squares = tiles(panel, title, 1, LOCATED, **PANEL)[0]
    for tile, index, heat in zip(squares, sheet.rows, density, strict=False):
        image = sheet.images[index]
        overlay(tile, image, resize(heat[None], len(image))[0])
