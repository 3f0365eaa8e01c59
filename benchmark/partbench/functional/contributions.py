"""Contributions of concepts to a logit: their sums over parts, and the same found by ablation."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sum_over_parts(contributions: Float[Tensor, "n k"], parts: Int[Tensor, "k"], count: int) -> Float[Tensor, "n p"]:
    """Contri_p: the sum of the contributions of the concepts of each of `count` parts; concepts of none (-1) drop."""
    if int(parts.max()) >= count:
        raise ValueError(f"parts hold {int(parts.max())}, expected at most {count - 1}: part_drops have {count} parts")
    belongs = parts[:, None] == torch.arange(count, device=parts.device)
    return contributions @ belongs.to(contributions)


def ablated_contributions(
    y: Float[Tensor, "n"], drops: Float[Tensor, "n p"], least_drop: float = 0.0
) -> Float[Tensor, "n p"]:
    """y*_p = y drop_p / sum_p' drop_p': the logit in proportion to the fall caused by removing each part; sums to y.

    NaN for images where |sum drops| <= least_drop |y|: there the shares are ill-defined.
    """
    total = drops.sum(1, keepdim=True)
    told = total.abs() > least_drop * y.abs()[:, None]
    return torch.where(told, y[:, None] * drops / total, torch.nan)
