"""Which parts of an image can be ranked by their effect, and the contributions of concepts shared out over parts."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench.types import Explanation


def outermost(masks: Bool[Tensor, "n p H W"]) -> Bool[Tensor, "n p"]:
    """Which parts show in each image and do not lie within another part; of equal ones, the first."""
    flat = masks.flatten(2).float()
    area = flat.sum(2)
    within = (flat @ flat.transpose(1, 2)) >= area[:, :, None]  # (n, p, q): p lies within q
    first = torch.ones(masks.shape[1], masks.shape[1], dtype=torch.bool, device=masks.device).triu(1)
    same = within & within.transpose(1, 2)
    covered = (within & ~same) | (same & first.T)
    return (area > 0) & ~covered.any(2)


def heat_contributions(
    explanation: Explanation, contributions: Float[Tensor, "n k"], masks: Bool[Tensor, "n p H W"]
) -> Float[Tensor, "n p"]:
    """What concepts contribute through each part: each contribution times the share of its heatmap on the part."""
    rows, columns = explanation.upsampling(*masks.shape[2:])
    inside = rows.T @ masks.to(rows).to(explanation.maps.device) @ columns  # (n, p, h, w): on cells, not pixels
    everywhere = rows.sum(0)[:, None] * columns.sum(0)
    heat = torch.einsum("nkhw,nphw->nkp", explanation.maps, inside)
    total = (explanation.maps * everywhere).sum((2, 3))
    return torch.einsum("nk,nkp->np", contributions / total.clamp_min(1e-12), heat)
