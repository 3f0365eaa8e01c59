"""What concepts contribute to the explained logit: bars for single images, and how contributions spread over concepts.

After Figs. 6 and 7 of the additive explainer, "Explaining Neural Networks Semantically and Quantitatively".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from partbench.pictures.legend import draw_legend, legend_height, shown_parts
from partbench.pictures.sheet import draw_parts, save
from partbench.pictures.tiles import FONT, tiles
from partbench.pictures.view import SHOWN, View
from partbench.plugin.explainer import Explainer
from partbench.task import Task
from partbench.types import Batch, Explanation, NotApplicable

BARS = 10  # concepts to an image
WIDE = 2.6  # inches to an image
LETTER = 0.05  # of the name of a concept, in inches; "not " may stand before it
MANY = 100  # images over which contributions are averaged


@dataclass(frozen=True)
class ContributionSheet:
    """Images, their explanation, names of the concepts, and mean shares of explainers in the contributions."""

    display: Batch
    explanation: Explanation
    names: Sequence[str]
    shares: Mapping[str, Float[np.ndarray, "k"]]
    parts: Sequence[tuple[int, str]] = ()  # those outlined, by index


def draw_contributions(view: View, path: Path) -> Path:
    """Draw the largest contributions to the images of a view, and all mean ones; returns where the PNG went.

    Beside the explainer stands its `baseline()`, see `View.compared`. Raises NotApplicable where there are no
    contributions, or too few for the picture of concepts to leave any out.
    """
    task, explainer, explanation = view.task, view.explainer, view.explanation
    if explanation.contributions is None or explanation.contributions.shape[1] <= SHOWN:
        raise NotApplicable(f"{explainer.name} has no contributions, or few")
    shares = {each.name: mean_shares(task, each) for each in view.compared}
    parts = shown_parts(view.shown, task.dataset.part_names, task.dataset.landmark_names)
    sheet = ContributionSheet(view.shown, explanation, concept_names(task, explainer, explanation), shares, parts)
    return save(draw_contribution_sheet(sheet, view.title), path)


def concept_names(task: Task, explainer: Explainer, explanation: Explanation) -> list[str]:
    """Those the explainer gives as `concept_names`; else numbers, with the part that the concept is assigned to."""
    if given := explainer.concept_names():
        return list(given)
    count = explanation.contributions.shape[1] if explanation.contributions is not None else 0
    parts = task.dataset.part_names or task.dataset.landmark_names
    assigned = [-1] * count if explanation.parts is None else explanation.parts.tolist()
    return [f"#{k} {parts[part]}" if part >= 0 else f"#{k}" for k, part in enumerate(assigned)]


def mean_shares(task: Task, explainer: Explainer) -> Float[np.ndarray, "k"]:
    """Mean of |C_i| / sum |C| over test images of the explained category, at most MANY."""
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten().tolist()[:MANY]
    found = []
    for batch in task.batches("test", 32, rows):
        contributions = task.explain(explainer, batch).contributions
        if contributions is None:
            raise NotApplicable(f"{explainer.name} has no contributions")
        sizes = contributions.abs().cpu()
        found.append(sizes / sizes.sum(1, keepdim=True).clamp_min(1e-12))
    mean: Float[np.ndarray, "k"] = torch.cat(found).mean(0).numpy()
    return mean


def draw_contribution_sheet(sheet: ContributionSheet, title: str) -> Figure:
    """Each image with its parts, then the bars of its largest contributions; below, the shares of all concepts."""
    count = len(sheet.display)
    names = min(LETTER * (4 + max(map(len, sheet.names), default=0)), WIDE / 2)
    strip = legend_height(WIDE * count, sheet.parts, ()) if sheet.parts else 0.01
    figure = Figure(figsize=(WIDE * count, 6.4 + strip), dpi=110)
    heights = [2.1, strip, 2.3, 2.0]
    images, legend, bars, below = figure.subfigures(4, 1, height_ratios=heights, squeeze=False)[:, 0]
    panel = tiles(images, title, 1, count)[0]
    for row in range(count):
        draw_parts(panel[row], sheet.display.pixels[row].permute(1, 2, 0).cpu().numpy(), sheet.display, row)
        panel[row].caption(sheet.display.ids[row])
        axis = bars.add_axes(((row + (names + 0.1) / WIDE) / count, 0.1, (1 - (names + 0.2) / WIDE) / count, 0.78))
        draw_largest(axis, sheet, row)
    if sheet.parts:
        draw_legend(legend, sheet.parts, ())
    draw_shares(below.add_axes((0.7 / (WIDE * count), 0.21, 1 - 0.8 / (WIDE * count), 0.76)), sheet.shares)
    return figure


def draw_largest(axis: Axes, sheet: ContributionSheet, row: int) -> None:
    """The contributions of one image with the largest absolute values, largest on top; a concept below 0 is "not"."""
    explanation = sheet.explanation
    if explanation.contributions is None:
        return
    values = explanation.contributions[row].detach().cpu()
    order = values.abs().argsort(descending=True)[:BARS].flip(0).tolist()
    scores = explanation.scores[row].tolist() if explanation.scores is not None else [0.0] * len(values)
    names = [f"not {sheet.names[k]}" if scores[k] < 0 else sheet.names[k] for k in order]
    found = [float(values[k]) for k in order]
    axis.barh(range(len(order)), found, color=["tab:blue" if value >= 0 else "tab:red" for value in found])
    axis.set_yticks(range(len(order)), names, fontsize=FONT - 1)
    axis.tick_params(axis="x", labelsize=FONT - 1)
    axis.axvline(0, color="black", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    logit = "" if explanation.logits is None else f"; predicted logit {float(explanation.logits[row]):.2f}"
    axis.set_title(f"largest contributions{logit}", fontsize=FONT)


def draw_shares(axis: Axes, shares: Mapping[str, Float[np.ndarray, "k"]]) -> None:
    """A line for each explainer, its concepts from the largest share to the smallest; dashed: all shares equal."""
    for name, values in shares.items():
        axis.step(range(1, len(values) + 1), np.sort(values)[::-1], where="mid", label=name, linewidth=1.2)
    most = max(len(values) for values in shares.values())
    axis.axhline(1 / most, color="grey", linestyle="--", linewidth=0.8, label="all shares equal")
    axis.set_xlabel("concepts, by share", fontsize=FONT)
    axis.set_ylabel("mean share of the\nabsolute contributions", fontsize=FONT)
    axis.tick_params(labelsize=FONT)
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=FONT, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
