"""Assignment of concepts to parts of the object, from annotated training images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench import Batch, Explanation, Images, TrainingTask
from partbench.functional import PartOverlap, on_image, peaks

MOST = 1000  # images that are looked at
TOP = 100  # of these, the images with the highest scores of a concept, whose peaks count
BATCH = 64


def part_count(task: TrainingTask) -> int:
    """How many parts the dataset names, or landmarks where it names no parts."""
    return len(task.part_names or task.landmark_names)


def assign_parts(task: TrainingTask, explain: Callable[[Images], Explanation]) -> Int[Tensor, "k"] | None:
    """The part that each concept stands for, by training images of the explained category, at most 1000.

    Where the dataset has masks of parts, or boxes that stand in for them: the part that the concept marks most often,
    argmax_k P_fk of part interpretability (see PartOverlap). For the others, which mark no part, and where there are
    landmarks only: the part that holds the peak of its map most often, or the landmark nearest to it, over the 100
    images that activate it most. Of equals the first part; -1 where a concept is dead or peaks on no part. None where
    the dataset knows no parts. The paper of explainer auto-encoders assigns its filters by eye, that of the additive
    explainer does not say how.
    """
    if not part_count(task):
        return None
    rows = torch.nonzero(task.positive(task.labels)).flatten()
    rows = rows[sample(len(rows))]
    scores, held, overlap = [], [], PartOverlap()
    for batch in task.batches(BATCH, rows.tolist()):
        explanation = explain(batch.images)
        _, places = peaks(explanation, batch.size)
        on_parts = parts_at(on_image(places, batch.size[1]), batch)
        if on_parts is None:
            return None
        if batch.masks is not None or batch.part_boxes is not None:
            overlap.add(batch, explanation)
        strength = explanation.maps.amax((2, 3)) if explanation.scores is None else explanation.scores
        scores.append(strength.cpu())
        held.append(on_parts)
    found = most_frequent(torch.cat(scores), torch.cat(held))
    return (marked(overlap, found) if overlap.images else found).to(task.device)


def sample(count: int) -> Int[Tensor, "s"]:
    """At most 1000 of so many rows, evenly spaced."""
    return torch.linspace(0, count - 1, min(count, MOST)).long()


def marked(overlap: PartOverlap, otherwise: Int[Tensor, "k"]) -> Int[Tensor, "k"]:
    """The part that each concept marks most often, the first of equals; `otherwise` where it marks none."""
    shares, part = torch.from_numpy(overlap.shares()).nan_to_num(nan=0.0).max(1)
    return torch.where(shares > 0, part, otherwise)


def most_frequent(scores: Float[Tensor, "n k"], held: Bool[Tensor, "n k p"], top: int = TOP) -> Int[Tensor, "k"]:
    """The part that holds a concept's peak most often among the `top` images with the highest scores above 0, or -1."""
    order = scores.argsort(dim=0, descending=True, stable=True)[:top]
    counted = held & (scores > 0)[..., None]
    counts = counted.gather(0, order[..., None].expand(-1, -1, held.shape[2])).sum(0)
    most, part = counts.max(1)
    return torch.where(most > 0, part, -1)


@torch.no_grad()
def part_drops(
    logit: Callable[[Tensor], Float[Tensor, "n"]], maps: Float[Tensor, "n k h w"], parts: Int[Tensor, "k"], count: int
) -> Float[Tensor, "n p"]:
    """How much `logit` of the maps falls when those of each of `count` parts are set to 0; 0 for parts without maps."""
    whole = logit(maps)
    drops = whole.new_zeros(len(maps), count)
    for part in set(parts.tolist()) - {-1}:
        drops[:, part] = whole - logit(maps * (parts != part)[:, None, None])
    return drops


def parts_at(places: Float[Tensor, "n k 2"], batch: Batch) -> Bool[Tensor, "n k p"] | None:
    """Which parts are at these places (x, y in px, on the image) of each image; None if the batch knows of no parts."""
    if batch.masks is not None:
        x, y = places.floor().long().unbind(-1)  # pixel i spans [i, i + 1)
        return batch.masks.cpu()[torch.arange(len(places))[:, None], :, y, x]
    if batch.part_boxes is not None:
        low, high = batch.part_boxes.cpu()[:, None].split(2, -1)  # NaN, a part that is absent, holds nothing
        place = places[:, :, None]
        return ((place >= low) & (place < high)).all(-1)
    if batch.landmarks is not None:
        away = (places[:, :, None] - batch.landmarks.cpu()[:, None]).norm(dim=-1).nan_to_num(nan=torch.inf)
        nearest = torch.zeros_like(away, dtype=torch.bool).scatter(2, away.argmin(2, keepdim=True), True)
        return nearest & away.isfinite()
    return None
