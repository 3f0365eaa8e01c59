"""What an explainer shows: for chosen test images, the parts, the concepts' heat maps, and what all of this means.

The layout is that of Fig. 4 of the SRAE paper: above each x-feature stands its contribution v_i E_i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from partbench.attribution.excitation_bp import contrastive_maps
from partbench.pictures.legend import draw_legend, heated, legend_height, outline_colour, shown_parts
from partbench.pictures.tiles import FONT, GAP, Tile, tiles
from partbench.pictures.view import SHOWN, View
from partbench.types import Batch, Explanation

INCH = 1.6
COMPRESSION = 2  # of 9: three times as fast as the usual 6, a tenth larger
NUMBERS = 2.2  # width of the numbers of an explanation without maps, in that of an image
LARGEST = 8  # of these numbers
WIDEST_LINE = 5.4  # inches, of the legend


@dataclass(frozen=True)
class Sheet:
    """Data of one picture: test images at the performer's size and at the size drawn, and their explanation.

    `logit_maps` are Excitation BP on the performer's `logits`; None where all logits are explained. `parts` are those
    outlined, by index.
    """

    batch: Batch
    display: Batch
    explanation: Explanation
    logit_maps: Float[np.ndarray, "n H W"] | None
    logits: Float[np.ndarray, "n"] | None
    names: Sequence[str] = ()
    parts: Sequence[tuple[int, str]] = ()


def draw(view: View, path: Path) -> Path:
    """Draw test images of a task as a fitted explainer explains them; returns where the PNG went."""
    return save(draw_sheet(explain_sheet(view), view.title), path)


def explain_sheet(view: View) -> Sheet:
    """The data of the picture, from a view."""
    task, batch = view.task, view.batch
    logit_maps = logits = None
    names = view.explainer.concept_names()
    parts = shown_parts(view.shown, task.dataset.part_names, task.dataset.landmark_names)
    if task.target is not None:
        values = batch.images.activations("target")
        maps = contrastive_maps(task.performer.segment("target", "logits"), values, units=[task.target])
        read = Explanation(maps, grid=task.performer.receptive_field("target"))
        logit_maps = resize(read.heatmaps(*batch.size)[:, 0], view.shown.pixels.shape[-1])
        logits = task.explained(batch).cpu().numpy()
    return Sheet(batch, view.shown, view.explanation, logit_maps, logits, names, parts)


def draw_sheet(sheet: Sheet, title: str) -> Figure:
    """One row per image, with a legend below: the image with its parts, then its concepts by contribution.

    Between them stands Excitation BP on the performer's logit. An explanation without maps is shown by its numbers.
    """
    concepts, rows = order_concepts(sheet.explanation), len(sheet.batch)
    compared = bool(concepts) and sheet.logit_maps is not None
    columns, right = 1 + compared + len(concepts), 0.0 if concepts else NUMBERS * INCH
    lines = legend_lines(sheet.explanation, bool(concepts), compared)
    width, high = max(columns * INCH + right, WIDEST_LINE), rows * INCH * 1.12 + 0.4
    below = legend_height(width, sheet.parts, lines)
    figure = Figure(figsize=(width, high + below), dpi=110)
    above, strip = figure.subfigures(2, 1, squeeze=False, height_ratios=(high, below)).flat
    panel = tiles(above, title, rows, columns, right=GAP + width - columns * INCH)
    for row, squares in enumerate(panel):
        image = sheet.display.pixels[row].permute(1, 2, 0).cpu().numpy()
        draw_parts(squares[0], image, sheet.display, row)
        squares[0].caption(sheet.batch.ids[row])
        if compared and sheet.logit_maps is not None and sheet.logits is not None:
            overlay(squares[1], image, sheet.logit_maps[row])
            squares[1].caption(f"performer: logit {sheet.logits[row]:.2f}")
    if concepts:
        _draw_concepts([squares[1 + compared :] for squares in panel], sheet, concepts)
    else:
        _write_numbers([squares[0] for squares in panel], sheet)
    draw_legend(strip, sheet.parts, lines, bar=bool(concepts))
    return figure


def _draw_concepts(panel: Sequence[Sequence[Tile]], sheet: Sheet, concepts: Sequence[int]) -> None:
    """The maps of each image on one scale; those of concepts that contribute nothing stay grey."""
    size = sheet.display.pixels.shape[-1]
    heat = sheet.explanation.heatmaps(*sheet.batch.pixels.shape[-2:])[:, concepts]
    for row, squares in enumerate(panel):
        image, maps = sheet.display.pixels[row].permute(1, 2, 0).cpu().numpy(), resize(heat[row], size)
        silent = [contributes_nothing(sheet.explanation, row, concept) for concept in concepts]
        top = max((float(one.max()) for one, no in zip(maps, silent, strict=True) if not no), default=0.0)
        for tile, concept, one, no in zip(squares, concepts, maps, silent, strict=True):
            overlay(tile, image, np.zeros_like(one) if no else one, top)
            tile.caption(caption(sheet.explanation, row, concept, sheet.names))


def _write_numbers(tiles_: Sequence[Tile], sheet: Sheet) -> None:
    """Beside each image what the explainer says of it without maps."""
    explanation = sheet.explanation
    for row, tile in enumerate(tiles_):
        lines = ["no maps"]
        if explanation.logits is not None and explanation.logits.ndim == 1:
            lines.append(f"predicts logit {float(explanation.logits[row]):.2f}")
        if sheet.logits is not None:
            lines.append(f"performer: logit {sheet.logits[row]:.2f}")
        for name in ("contributions", "scores"):
            if explanation.has(name):
                values = getattr(explanation, name)[row]
                order = values.abs().argsort(descending=True)[:LARGEST].tolist()
                lines += [caption(explanation, row, concept, sheet.names) for concept in order]
                break
        axis = tile.beside(1.08, NUMBERS)
        axis.set_axis_off()
        axis.text(0, 1, "\n".join(lines), fontsize=FONT, va="top", transform=axis.transAxes)


def contributes_nothing(explanation: Explanation, row: int, concept: int) -> bool:
    """Whether a concept has a contribution, and it reads 0.00."""
    return explanation.contributions is not None and abs(float(explanation.contributions[row, concept])) < 0.005


def legend_lines(explanation: Explanation, mapped: bool, compared: bool) -> list[str]:
    """What the numbers and the colours are."""
    number = "contribution" if explanation.has("contributions") else "score" if explanation.has("scores") else ""
    to = " to the logit" if number == "contribution" else ""
    lines = (
        [f"above a map: the concept and its {number}{to}; in the order of mean {number}s"] if number and mapped else []
    )
    lines += [f"beside an image: concepts and their {number}s{to}"] if number and not mapped else []
    if compared:
        lines.append("performer: Excitation BP on its logit, on its own scale; no part of the explanation")
    if mapped:
        grey = "; a contribution of 0 stays grey" if explanation.has("contributions") else ""
        lines.append(f"map: 0 to the largest value in the maps of the image{grey}")
    return lines


def order_concepts(explanation: Explanation) -> list[int]:
    """The concepts to draw: by mean contribution where there are contributions, else by mean score, at most SHOWN."""
    if not explanation.has("maps"):
        return []
    for name in ("contributions", "scores"):
        if explanation.has(name):
            return getattr(explanation, name).mean(0).argsort(descending=True)[:SHOWN].tolist()
    return list(range(explanation.maps.shape[1]))[:SHOWN]


def caption(explanation: Explanation, row: int, concept: int, names: Sequence[str] = ()) -> str:
    """`#3: 1.42`: the concept's name, or number, and its contribution, or its score."""
    called = names[concept] if names else f"#{concept}"
    for name in ("contributions", "scores"):
        if explanation.has(name):
            return f"{called}: {round(float(getattr(explanation, name)[row, concept]), 2) + 0.0:.2f}"
    return called


def overlay(
    tile: Tile, image: Float[np.ndarray, "H W 3"], heat: Float[np.ndarray, "H W"], top: float | None = None
) -> None:
    """A heat map over the greyed image, on a scale from 0 to `top`, by default its own maximum."""
    grey = np.repeat((0.35 + 0.5 * image.mean(-1))[:, :, None], 3, 2).clip(0, 1)
    highest = float(heat.max()) if top is None else top
    tile.show(heated(grey, (heat / highest).clip(0, 1)) if highest > 0 else grey)


def draw_parts(tile: Tile, image: Float[np.ndarray, "H W 3"], batch: Batch, row: int) -> None:
    """The image with outlines of its part masks, or dots at its landmarks where there are no masks."""
    tile.show(image.clip(0, 1))
    if batch.masks is not None:
        for part, mask in enumerate(batch.masks[row].cpu().numpy()):
            outline(tile, mask, outline_colour(part))
    elif batch.landmarks is not None:
        points = tile.at(batch.landmarks[row].cpu().numpy(), len(image))
        colours = [outline_colour(part) for part in range(len(points))]
        tile.axis.scatter(points[:, 0], points[:, 1], s=14, c=colours, edgecolors="white")


def outline(tile: Tile, mask: Bool[np.ndarray, "H W"], colour: ColorType) -> None:
    """The borders of the regions of a mask."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for border in outlines:
        points = tile.at(np.vstack([border[:, 0], border[:1, 0]]) + 0.5, len(mask))  # through the centres of pixels
        tile.axis.plot(points[:, 0], points[:, 1], color=colour, linewidth=0.9)


def resize(maps: Float[torch.Tensor, "n h w"], size: int) -> Float[np.ndarray, "n H W"]:
    """Maps at the size they are drawn at."""
    array = maps.detach().cpu().float().numpy()
    return np.stack([cv2.resize(m, (size, size), interpolation=cv2.INTER_LINEAR) for m in array])


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    figure.savefig(temporary, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": COMPRESSION})
    temporary.replace(path)
    return path
