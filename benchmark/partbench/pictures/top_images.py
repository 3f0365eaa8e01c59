"""The images that activate each filter most, and where on an image each filter peaks.

A filter is a concept with a map at hand, such as a channel of a convolutional layer. Units of vector layers have no
location: their maps are attributed on demand, which is slow, and they do not count as filters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partbench.functional.maps import centres, strength
from partbench.plugin.explainer import Explainer
from partbench.task import Task
from partbench.types import Explanation, NotApplicable

LEAST = 8  # least number of concepts for pictures of filters
BATCH = 32


@dataclass(frozen=True)
class TopImages:
    """Of each of k filters the t images with the highest score, best first, of equals the earlier.

    scores and rows are (k, t), rows those of the test split, maps (k, t, h, w); everything is on the CPU.
    """

    scores: Float[Tensor, "k t"]
    rows: Int[Tensor, "k t"]
    maps: Float[Tensor, "k t h w"]

    def best(self, count: int) -> TopImages:
        """The first `count` in the order of scores."""
        order = self.scores.argsort(dim=1, descending=True, stable=True)[:, :count]
        filters = torch.arange(len(order))[:, None]
        return TopImages(self.scores[filters, order], self.rows[filters, order], self.maps[filters, order])

    def add(self, later: TopImages) -> TopImages:
        """The top images of both; ties go to these before `later`."""
        pairs = ((self.scores, later.scores), (self.rows, later.rows), (self.maps, later.maps))
        return TopImages(*(torch.cat(pair, dim=1) for pair in pairs))

    def chosen(self, count: int) -> list[int]:
        """The filters with the highest mean score on these images, at most `count`; dead ones are left out."""
        alive = self.maps.flatten(1).amax(1) > 0
        order = self.scores.mean(1).argsort(descending=True, stable=True).tolist()
        return [k for k in order if alive[k]][:count]


def has_filters(explanation: Explanation) -> bool:
    """Whether maps of at least 8 concepts are at hand, not on demand."""
    return explanation.has("maps") and not explanation.maps_on_demand and explanation.maps.shape[1] >= LEAST


def top_images(task: Task, explainer: Explainer, count: int) -> TopImages:
    """Of each filter the test images of the explained category that activate it most, found in one pass.

    Raises NotApplicable where there are no such images or no filters.
    """
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten()
    if not len(rows):
        raise NotApplicable(f"{task.name} has no test image of its category")
    kept: TopImages | None = None
    for some, batch in zip(rows.split(BATCH), task.batches("test", BATCH, rows.tolist()), strict=True):
        explanation = task.explain(explainer, batch)
        if not has_filters(explanation):
            raise NotApplicable(f"{explainer.name} has no maps of at least {LEAST} concepts at hand")
        scores, maps = strength(explanation).T, explanation.maps.cpu().transpose(0, 1)
        found = TopImages(scores, some.expand(len(scores), -1), maps).best(count)
        kept = found if kept is None else kept.add(found).best(count)
    if kept is None or not kept.chosen(1):
        raise NotApplicable(f"no filter of {explainer.name} is active on any test image of the category")
    return kept


def votes(explanation: Explanation, best: Float[Tensor, "k"]) -> Float[Tensor, "n h w"]:
    """Every active filter votes for its strongest cell, with its score relative to its `best` score, in [0, 1]."""
    maps = explanation.maps.cpu()
    active = (maps.amax((2, 3)) > 0) & (best > 0)
    weight = torch.where(active, (strength(explanation) / best).clamp(0, 1), 0.0)
    cells = torch.zeros(len(maps), maps[0, 0].numel())
    return cells.scatter_add(1, maps.flatten(2).argmax(2), weight).view(len(maps), *maps.shape[2:])


def part_density(explanation: Explanation, best: Float[Tensor, "k"], pixels: int) -> Float[Tensor, "n H W"]:
    """The votes on the image, blurred by a Gaussian whose standard deviation is a cell (Fig. 6)."""
    cells = explanation.maps.shape[-2:]
    fields = centres(explanation, pixels)
    position = torch.arange(pixels, dtype=torch.float32) + 0.5
    away = [(position[:, None] - f.centres(n)) / f.stride for f, n in zip(fields, cells, strict=True)]
    rows, columns = (torch.exp(-0.5 * distance**2) for distance in away)
    return rows @ votes(explanation, best) @ columns.T
