"""Where the logit of an image comes from: Grad-CAM on ordinary and on explaining maps, and what each part adds.

The panels are those of Fig. 5 of Zhang et al., "Unsupervised Learning of Neural Networks to Explain Neural Networks",
and of Fig. 5 of the additive explainer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from partbench.attribution.grad_cam import grad_cam
from partbench.functional import sum_over_parts
from partbench.pictures.beside import OrdinaryFilters
from partbench.pictures.part_shares import draw_numbers, draw_pie
from partbench.pictures.sheet import INCH, draw_parts, overlay, resize, save
from partbench.pictures.tiles import FONT, tiles
from partbench.pictures.view import View
from partbench.task import Task
from partbench.types import Batch, Explanation, NotApplicable

PIE, NUMBERS = 0.9, 1.2  # widths, in those of an image


@dataclass(frozen=True)
class Attention:
    """Grad-CAM of one network on the images shown, at the size drawn at, and the logits it explains."""

    title: str
    maps: Float[np.ndarray, "n H W"]
    logits: Float[Tensor, "n"]


@dataclass(frozen=True)
class AttentionSheet:
    """What the picture needs; `shares` are contributions of the parts named, the last column of no part."""

    display: Batch
    categories: list[str]
    attentions: list[Attention]
    shares: Float[Tensor, "n p+1"] | None
    part_names: tuple[str, ...]
    logits: Float[Tensor, "n"] | None


def draw_attention(view: View, path: Path) -> Path:
    """Draw Grad-CAM of the performer, that of a fitted explainer which offers a `head`, and the shares of parts
    where it gives contributions of concepts that have parts; returns where the PNG went.

    Of each image it is the logit of its own category. Raises NotApplicable where the explainer has neither.
    """
    return save(draw_attention_sheet(explain_attention(view), f"Grad-CAM and parts: {view.title}"), path)


def explain_attention(view: View) -> AttentionSheet:
    """What the picture shows of a view."""
    task, explainer, batch, explanation = view.task, view.explainer, view.batch, view.explanation
    head, names, size = explainer.head(batch.images), view.part_names, view.shown.pixels.shape[-1]
    parted = explanation.contributions is not None and explanation.parts is not None
    if head is None and not parted:
        raise NotApplicable(f"{explainer.name} offers no head, and no contributions of concepts that have parts")
    own = own_category(task, batch)
    attentions = [of_performer(task, batch, own, size)]
    if head is not None:
        attentions.append(attention(f"maps of {explainer.name}", head, explanation, own, size, batch))
    values = None
    if explanation.contributions is not None and explanation.parts is not None:
        column = torch.where(explanation.parts < 0, len(names), explanation.parts)
        values = sum_over_parts(explanation.contributions.detach(), column, len(names) + 1).cpu()
    categories = [task.explained_categories[i] for i in own.tolist()]
    logits = None if explanation.logits is None else explanation.logits.detach().cpu()
    return AttentionSheet(view.shown, categories, attentions, values, names, logits)


def own_category(task: Task, batch: Batch) -> Int[Tensor, "n"]:
    """Of each image its category's index among those explained, or, if it is of none, the performer's best."""
    known = task.category_of(batch.labels)
    return torch.where(known >= 0, known, task.category_logits(batch).argmax(1).cpu())


def of_performer(task: Task, batch: Batch, own: Int[Tensor, "n"], size: int) -> Attention:
    """Grad-CAM on the performer's ordinary filters."""
    ordinary = OrdinaryFilters(task)
    head = task.performer.segment(ordinary.role, "logits")
    targets = torch.tensor(task.targets)[own]
    title = f"the performer,\nfilters of {ordinary.layer}"
    return attention(title, head, task.explain(ordinary, batch), targets, size, batch)


def attention(
    title: str, head: torch.nn.Module, explanation: Explanation, target: Int[Tensor, "n"], size: int, batch: Batch
) -> Attention:
    """Grad-CAM of the target logits on an explanation's maps."""
    maps = explanation.maps.detach()
    seen = Explanation(grad_cam(head, maps, target)[:, None], grid=explanation.grid)
    with torch.no_grad():
        logits = head(maps.clone()).cpu()
    chosen = logits if logits.ndim == 1 else logits[torch.arange(len(logits)), target]
    return Attention(title, resize(seen.heatmaps(*batch.size)[:, 0], size), chosen)


def draw_attention_sheet(sheet: AttentionSheet, title: str) -> Figure:
    """One row per image: the image with its parts, Grad-CAM of each network, a pie of the parts and its numbers."""
    rows, maps = len(sheet.display), 1 + len(sheet.attentions)
    right = 0.0 if sheet.shares is None else (PIE + NUMBERS) * INCH
    figure = Figure(figsize=(maps * INCH + right, rows * INCH * 1.12 + 0.78), dpi=110)
    panel = tiles(figure, title, rows, maps, captions=0.58, right=right)
    for row, category in enumerate(sheet.categories):
        image = sheet.display.pixels[row].permute(1, 2, 0).cpu().numpy()
        draw_parts(panel[row][0], image, sheet.display, row)
        panel[row][0].caption(f"{category}, {sheet.display.ids[row]}")
        for tile, seen in zip(panel[row][1:], sheet.attentions, strict=True):
            overlay(tile, image, seen.maps[row])
            heading = "" if row else f"Grad-CAM,\n{seen.title}\n"
            tile.caption(f"{heading}logit {float(seen.logits[row]):.2f}")
        if sheet.shares is not None:
            values = sheet.shares[row].tolist()
            pie, numbers = panel[row][-1].beside(1.05, PIE), panel[row][-1].beside(1.05 + PIE, NUMBERS)
            draw_pie(pie, values, sheet.part_names)
            logit = None if sheet.logits is None else float(sheet.logits[row])
            draw_numbers(numbers, values, sheet.part_names, logit)
            if not row:
                pie.set_title("shares of parts\n(hatched: against)", fontsize=FONT, y=1.0)
                numbers.set_title("what filters of a part add", fontsize=FONT, y=1.0)
    return figure
