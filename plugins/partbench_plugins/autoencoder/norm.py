"""The norm layer: it gives all channels of a track the same magnitude, so that p is the share of the track."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Reduce = Literal["sum", "mean"]


class MagnitudeNorm(nn.Module):
    """x_ijk scale / alpha_k, with alpha_k = E[sum_ij max(x_ijk, 0)] (explainer auto-encoder, section 3.1, Norm-layer).

    alpha is a running average of batches with weight `momentum` on the newest; the first one sets it; in evaluation
    mode it stays. Its gradient is that of the newest batch's own average, as in batch normalization: with none,
    filters that the layers above find too strong shrink, alpha follows, and they shrink until they are dead.
    reduce="mean" averages over cells, as the text of that section says, instead of summing, as its formula does.
    `scale`, of each channel, is 1 in the paper; at that the layers above, copied from a performer, see inputs far below
    those that they were trained on.

    Channels weaker than `least` times the mean of all are divided by that much, not blown up (ours).
    """

    alpha: Tensor
    scale: Tensor

    def __init__(
        self, channels: int, reduce: Reduce = "sum", scale: float = 1.0, momentum: float = 0.1, least: float = 0.01
    ) -> None:
        super().__init__()
        self.reduce, self.momentum, self.least = reduce, momentum, least
        self.register_buffer("alpha", torch.full((channels,), torch.nan))
        self.register_buffer("scale", torch.full((channels,), scale))

    def forward(
        self, maps: Float[Tensor, "b c h w"], counted: Float[Tensor, "s c h w"] | None = None
    ) -> Float[Tensor, "b c h w"]:
        """The maps at equal magnitude; in training mode that of the `counted` maps, if any, enters alpha first.

        Before any were counted, alpha is taken to be 1.
        """
        if self.training and counted is not None and len(counted):
            alpha = self._moved(counted)
        else:
            alpha = self.alpha.nan_to_num(nan=1.0)
        floor = self.least * float(alpha.detach().mean())
        return maps * (self.scale / alpha.clamp(min=max(floor, torch.finfo(alpha.dtype).tiny)))[:, None, None]

    def _moved(self, counted: Float[Tensor, "s c h w"]) -> Float[Tensor, "c"]:
        batch = magnitude(counted, self.reduce).mean(0)
        with torch.no_grad():
            self.alpha.copy_(torch.where(self.alpha.isnan(), batch, self.alpha.lerp(batch, self.momentum)))
        return self.alpha + (batch - batch.detach())


def magnitude(maps: Float[Tensor, "b c h w"], reduce: Reduce) -> Float[Tensor, "b c"]:
    """Sum (or mean) over cells of max(x, 0)."""
    cells = maps.clamp(min=0).flatten(2)
    return cells.sum(2) if reduce == "sum" else cells.mean(2)
