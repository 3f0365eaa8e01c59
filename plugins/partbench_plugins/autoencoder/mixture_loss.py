"""The filter loss on a mixture of the interpretable and the ordinary track."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from partbench import PartLayer

Maps = Float[Tensor, "b c n n"]


class MixedParts(nn.Module):
    """A part layer whose filter loss looks at x' = p x + (1 - p) x_ordin, and masks x.

    Source: explainer auto-encoder, appendix "Optimization of filter losses", for conv-interp-2: the loss trains the
    filter and raises p; the ordinary track gets no gradient of it. `parts` holds the settings, as for any part layer.
    """

    def __init__(self, parts: PartLayer) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, maps: Maps, ordinary: Maps, share: Float[Tensor, ""], labels: Int[Tensor, "b"] | None) -> Maps:
        """Masked maps; the filter gradient waits in their backward, in training mode and where labels are known."""
        parts = self.parts
        if parts.regulariser is not None and parts.epoch and labels is not None and self.training:
            parts.category.update(maps.detach(), labels)
            positive = parts.category.positive(labels)
            maps = _AddMixedGradient.apply(maps, share, ordinary.detach(), positive, parts.regulariser)
        return self.mask(maps)

    def mask(self, maps: Maps) -> Maps:
        """The mask alone."""
        masked: Maps = self.parts.mask(maps) if self.parts.epoch else maps
        return masked


class _AddMixedGradient(torch.autograd.Function):
    """Forward the identity on maps; backward adds lambda dLoss_f(x')/d(maps, share) to what comes from above.

    With G = dLoss_f/dx' that is lambda p G for the maps and sum lambda G (x - x_ordin) for the share p. lambda of each
    filter weighs p G against the gradient of the task at the maps.
    """

    @staticmethod
    def forward(
        ctx: Any, maps: Maps, share: Tensor, ordinary: Maps, positive: Bool[Tensor, "b c"], regulariser: nn.Module
    ) -> Maps:
        ctx.save_for_backward(maps, share, ordinary, positive)
        ctx.regulariser = regulariser
        return maps.view_as(maps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, task: Maps) -> tuple[Maps, Tensor, None, None, None]:
        maps, share, ordinary, positive = ctx.saved_tensors
        regulariser = ctx.regulariser
        gradient = regulariser.gradient(torch.lerp(ordinary, maps, share), positive)
        weight = regulariser.weight(share * gradient, task, maps, regulariser.epoch)
        pull = gradient * weight[:, None, None]
        return task + share * pull, (pull * (maps - ordinary)).sum(), None, None, None
