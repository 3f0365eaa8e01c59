"""What an explainer shows: for chosen test images, the parts, Excitation BP on the logit, and each concept's heat map.

The layout is that of Fig. 4 of the SRAE paper: above each x-feature stands its contribution v_i E_i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import torch
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from partbench.attribution.excitation_bp import contrastive_maps
from partbench.pictures.tiles import Tile, tiles
from partbench.pictures.view import SHOWN, View
from partbench.types import Batch, Explanation

INCH = 1.6
COMPRESSION = 2  # of 9: three times as fast as the usual 6, a tenth larger
PART_COLOURS = mpl.colormaps["tab10"]


@dataclass(frozen=True)
class Sheet:
    """Data of one picture: test images at the performer's size and at the size drawn, and their explanation."""

    batch: Batch
    display: Batch
    explanation: Explanation
    logit_maps: Float[np.ndarray, "n H W"] | None
    logits: Float[np.ndarray, "n"] | None
    names: Sequence[str] = ()


def draw(view: View, path: Path) -> Path:
    """Draw test images of a task as a fitted explainer explains them; returns where the PNG went."""
    return save(draw_sheet(explain_sheet(view), view.title), path)


def explain_sheet(view: View) -> Sheet:
    """The data of the picture, from a view."""
    task, batch = view.task, view.batch
    logit_maps = logits = None
    names = view.explainer.concept_names()
    if task.target is not None:
        values = batch.images.activations("target")
        maps = contrastive_maps(task.performer.segment("target", "logits"), values, units=[task.target])
        read = Explanation(maps, grid=task.performer.receptive_field("target"))
        logit_maps = resize(read.heatmaps(*batch.size)[:, 0], view.display.size)
        logits = task.explained(batch).cpu().numpy()
    return Sheet(batch, view.shown, view.explanation, logit_maps, logits, names)


def draw_sheet(sheet: Sheet, title: str) -> Figure:
    """One row per image: the image with its parts, Excitation BP on the logit, and the concepts by contribution."""
    size = sheet.display.pixels.shape[-1]
    concepts = order_concepts(sheet.explanation)
    rows, columns = len(sheet.batch), 2 + len(concepts)
    figure = Figure(figsize=(columns * INCH, rows * INCH * 1.12 + 0.4), dpi=110)
    panel = tiles(figure, title, rows, columns)
    heat: list[np.ndarray] = []
    if sheet.explanation.has("maps"):
        heat = [resize(sheet.explanation.heatmaps(*sheet.batch.pixels.shape[-2:])[:, k], size) for k in concepts]
    for row in range(rows):
        image = sheet.display.pixels[row].permute(1, 2, 0).cpu().numpy()
        draw_parts(panel[row][0], image, sheet.display, row)
        panel[row][0].caption(sheet.batch.ids[row] if row else "image and parts")
        if sheet.logit_maps is not None and sheet.logits is not None:
            overlay(panel[row][1], image, sheet.logit_maps[row])
            panel[row][1].caption(f"Excitation BP, logit {sheet.logits[row]:.2f}")
        for column, concept in enumerate(concepts):
            overlay(panel[row][2 + column], image, heat[column][row])
            panel[row][2 + column].caption(caption(sheet.explanation, row, concept, sheet.names))
    return figure


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


def overlay(tile: Tile, image: Float[np.ndarray, "H W 3"], heat: Float[np.ndarray, "H W"]) -> None:
    """A heat map over the greyed image; each map is scaled to its own maximum, and an empty one stays grey."""
    grey = 0.35 + 0.5 * image.mean(-1)
    seen, top = np.repeat(grey[:, :, None], 3, 2), float(heat.max())
    if top > 0:
        alpha = np.clip(heat / top * 1.2, 0, 0.8)[:, :, None]
        seen = (1 - alpha) * seen + alpha * mpl.colormaps["inferno"](heat / top)[:, :, :3]
    tile.show(seen.clip(0, 1))


def draw_parts(tile: Tile, image: Float[np.ndarray, "H W 3"], batch: Batch, row: int) -> None:
    """The image with outlines of its part masks, or dots at its landmarks where there are no masks."""
    tile.show(image.clip(0, 1))
    if batch.masks is not None:
        for part, mask in enumerate(batch.masks[row].cpu().numpy()):
            outline(tile, mask, PART_COLOURS(part % 10))
    elif batch.landmarks is not None:
        points = tile.at(batch.landmarks[row].cpu().numpy(), len(image))
        colours = [PART_COLOURS(part % 10) for part in range(len(points))]
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
