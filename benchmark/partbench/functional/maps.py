"""Maps of concepts: how strong each is, where it peaks on the image, and sums over the concepts of a part."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partbench.nn.receptive_field import ReceptiveField
from partbench.types import Explanation


def strength(explanation: Explanation) -> Float[Tensor, "n k"]:
    """How strongly each filter is active: its score, or the maximum of its map."""
    values = explanation.maps.amax((2, 3)) if explanation.scores is None else explanation.scores
    return values.detach().float().cpu()


def centres(explanation: Explanation, pixels: int) -> tuple[ReceptiveField, ReceptiveField]:
    """Geometry of rows and of columns of the maps on square images."""
    h, w = explanation.maps.shape[-2:]
    return explanation.grid or ReceptiveField.tiling(h, pixels), explanation.grid or ReceptiveField.tiling(w, pixels)


def peaks(explanation: Explanation, pixels: int) -> Float[Tensor, "n k 2"]:
    """x and y in px of the centre of the strongest cell of each map, moved to the nearest pixel's centre if outside."""
    h, w = explanation.maps.shape[-2:]
    rows, columns = centres(explanation, pixels)
    cell = explanation.maps.flatten(2).argmax(2).cpu()
    return torch.stack([columns.centres(w)[cell % w], rows.centres(h)[cell // w]], dim=-1).clamp(0.5, pixels - 0.5)


def of_parts(contributions: Float[Tensor, "n k"], parts: Int[Tensor, "k"], count: int) -> Float[Tensor, "n p"]:
    """Contri_p: the sum of the contributions of the concepts of each of `count` parts; concepts of none (-1) drop."""
    if int(parts.max()) >= count:
        raise ValueError(f"parts hold {int(parts.max())}, expected at most {count - 1}: part_drops have {count} parts")
    belongs = parts[:, None] == torch.arange(count, device=parts.device)
    return contributions @ belongs.to(contributions)
