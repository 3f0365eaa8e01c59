"""Which part of the object each concept stands for."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench import Batch, Explanation, Task, peaks

TOP = 100  # images that speak for a concept
BATCH = 64


def part_count(task: Task) -> int:
    """How many parts the dataset names, or landmarks where it names no parts."""
    return len(task.dataset.part_names or task.dataset.landmark_names)


def assign_parts(task: Task, explain: Callable[[Batch], Explanation]) -> Int[Tensor, "k"] | None:
    """The part on which each concept's map peaks most often, over the 100 training images that activate it most.

    Images are of the explained category. A peak is on a part where the part's mask, or else its box, holds it; where
    the dataset names landmarks only, on the nearest of them. Of equals the first part; -1 where a concept is dead or
    peaks on no part. None where the dataset knows no parts. The paper of explainer auto-encoders assigns its filters by
    eye, that of the additive explainer does not say how.
    """
    if not part_count(task):
        return None
    scores, held = [], []
    for batch in task.batches("train", BATCH, torch.nonzero(task.positive(task.labels())).flatten().tolist()):
        explanation = explain(batch)
        on_parts = parts_at(peaks(explanation, batch.images.shape[-1]), batch)
        if on_parts is None:
            return None
        strength = explanation.maps.amax((2, 3)) if explanation.scores is None else explanation.scores
        scores.append(strength.cpu())
        held.append(on_parts)
    return most_frequent(torch.cat(scores), torch.cat(held)).to(task.device)


def most_frequent(scores: Float[Tensor, "n k"], held: Bool[Tensor, "n k p"], top: int = TOP) -> Int[Tensor, "k"]:
    """The part that holds a concept's peak most often among the `top` images with the highest scores above 0, or -1."""
    order = scores.argsort(dim=0, descending=True, stable=True)[:top]
    counted = held & (scores > 0)[..., None]
    counts = counted.gather(0, order[..., None].expand(-1, -1, held.shape[2])).sum(0)
    most, part = counts.max(1)
    return torch.where(most > 0, part, -1)


def parts_at(places: Float[Tensor, "n k 2"], batch: Batch) -> Bool[Tensor, "n k p"] | None:
    """Which parts are at these places (x, y in px) of each image; None where the batch knows of no parts."""
    if batch.masks is not None:
        x, y = places.round().long().unbind(-1)
        return batch.masks.cpu()[torch.arange(len(places))[:, None], :, y, x]
    if batch.part_boxes is not None:
        low, high = batch.part_boxes.cpu()[:, None].split(2, -1)  # NaN, a part that is absent, holds nothing
        place = places[:, :, None] + 0.5  # the centre of the pixel; boxes count from the edge of the first
        return ((place >= low) & (place < high)).all(-1)
    if batch.landmarks is not None:
        away = (places[:, :, None] - batch.landmarks.cpu()[:, None]).norm(dim=-1).nan_to_num(nan=torch.inf)
        nearest = torch.zeros_like(away, dtype=torch.bool).scatter(2, away.argmin(2, keepdim=True), True)
        return nearest & away.isfinite()
    return None
