"""How much of a concept's heatmap lies on each region of an image: a part of the object, or the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench.types import Explanation


def voronoi_weights(
    landmarks: Float[Tensor, "l 2"], box: Float[Tensor, "4"], size: tuple[int, int]
) -> Float[Tensor, "l+1 H W"]:
    """Weight of each pixel for each landmark, and for the context (everything outside the box, weight 1).

    The pixels of the box (x0 y0 x1 y1; those with their centre in [x0, x1) and [y0, y1)) belong to the visible landmark
    nearest to them, the first of equals; there the weight falls linearly from 1 at the landmark to 0 at the farthest
    pixel of its cell, elsewhere it is 0 (SRAE paper, Algorithm 1). A cell of a single pixel has weight 1.
    """
    context = len(landmarks)
    y = torch.arange(size[0], device=landmarks.device, dtype=landmarks.dtype)[:, None] + 0.5
    x = torch.arange(size[1], device=landmarks.device, dtype=landmarks.dtype) + 0.5
    inside = (x >= box[0]) & (y >= box[1]) & (x < box[2]) & (y < box[3])
    squares = (x - landmarks[:, 0, None, None]) ** 2 + (y - landmarks[:, 1, None, None]) ** 2
    nearest, owner = squares.nan_to_num_(nan=torch.inf).min(0)  # of equals, the first
    unowned = inside & nearest.isinf()
    region = torch.where(inside, owner, context)
    distances = torch.where(inside & ~unowned, nearest, 0.0).sqrt()
    farthest = distances.new_zeros(context + 1).scatter_reduce(0, region.flatten(), distances.flatten(), "amax")
    alone = region.flatten().bincount(minlength=context + 1) == 1
    reach = torch.where(alone | (farthest == 0), torch.inf, farthest)
    weights = torch.where(unowned, 0.0, 1 - distances / reach[region])
    return weights.new_zeros(context + 1, *size).scatter_(0, region[None], weights[None])


def mask_weights(masks: Bool[Tensor, "p H W"]) -> Float[Tensor, "p+1 H W"]:
    """1 on the pixels of each part, and on those of the context (no part), else 0."""
    return torch.cat([masks, ~masks.any(0, keepdim=True)]).float()


def region_shares(
    explanation: Explanation, weights: Iterable[Float[Tensor, "r H W"]], size: tuple[int, int]
) -> Iterator[Float[Tensor, "k r"]]:
    """Of each image, the sum over each region of the weighted heatmap of each concept, scaled to sum 1.

    NaN for a map that is zero or holds a NaN. The shares are linear in the map, so that the weights are brought to the
    cells and no heatmap is made.
    """
    maps = explanation.maps.float()
    maps = maps / maps.amax((2, 3), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)  # sums stay finite
    rows, columns = (matrix.float() for matrix in explanation.upsampling(*size))
    mass = torch.einsum("nkhw,h,w->nk", maps, rows.sum(0), columns.sum(0))
    mass = torch.where(mass > 0, mass, torch.nan)
    for own, total, of_regions in zip(maps, mass, weights, strict=True):
        cells = rows.T @ of_regions.to(maps) @ columns
        yield torch.einsum("khw,rhw->kr", own, cells) / total[:, None]
