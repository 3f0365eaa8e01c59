"""The filter loss of interpretable CNNs as a loss, and as a regulariser that sits on a layer (CVPR 2018, Eq. 3).

`FilterLoss` is a scalar to add to a training loss. `FilterRegulariser` passes maps through and adds the weighted filter
gradient to what comes back, so it can weigh it against the gradient of the task at that very layer.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from partbench.nn.filter_gradients import GradientName, filter_gradient
from partbench.nn.mutual_information import mutual_information


class FilterLoss(nn.Module):
    """-MI(X; T) of the batch, summed over filters, whose backward is the chosen gradient.

    maps (b, c, n, n) are post-ReLU; positive (b, c) says whether the image is of the filter's category. For
    gradient="exact" backward is the true derivative; for "paper" and "released" the value is for the log only.
    Options go to the gradient's class. Running state lives in its buffers.
    """

    bank: Tensor

    def __init__(
        self, bank: Float[Tensor, "t n n"], filters: int, gradient: GradientName = "exact", **options: Any
    ) -> None:
        super().__init__()
        self.register_buffer("bank", bank)
        self.gradient = filter_gradient(gradient, bank, filters, **options)

    def forward(self, maps: Float[Tensor, "b c n n"], positive: Bool[Tensor, "b c"]) -> Float[Tensor, ""]:
        """The loss in nats."""
        with torch.no_grad():
            value = -mutual_information(maps, self.bank).sum()
            gradient = self.gradient(maps, positive) if maps.requires_grad else torch.zeros_like(maps)
        return _WithGradient.apply(maps, value, gradient)


class _WithGradient(torch.autograd.Function):
    """A scalar of `maps` whose derivative is given."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return grad * gradient, None, None


class FilterRegulariser(nn.Module):
    """Identity on maps (b, c, n, n) whose backward adds weight_f * dLoss_f/dmaps to the gradient of the task (Eq. 3).

    `gradient` is a module of `filter_gradients`, `weight` one of `filter_weights`. `epoch` is t of the schedules; the
    training loop sets it, counting from 1, and 0 switches the filter loss off (warm-up). In eval mode, or when nothing
    below is trained, maps pass untouched. Put it after the ReLU and before the mask. `ratio` says how strong the filter
    loss is beside the task in the last batches; NaN before the first.
    """

    ratio: Tensor

    def __init__(self, gradient: nn.Module, weight: nn.Module, decay: float = 0.98) -> None:
        super().__init__()
        self.gradient, self.weight, self.decay = gradient, weight, decay
        self.epoch = 1
        self.register_buffer("ratio", torch.tensor(torch.nan))

    @torch.no_grad()
    def measure(self, added: Tensor, task: Tensor) -> None:
        """Take a batch into `ratio`, a running mean: the length of what the filter loss adds over that of the task."""
        length = torch.linalg.vector_norm(task)
        found = torch.where(length > 0, torch.linalg.vector_norm(added) / length, torch.nan).to(self.ratio)
        moved = torch.where(self.ratio.isnan(), found, self.ratio.lerp(found, 1 - self.decay))
        self.ratio.copy_(torch.where(found.isnan(), self.ratio, moved))

    def forward(self, maps: Float[Tensor, "b c n n"], positive: Bool[Tensor, "b c"]) -> Float[Tensor, "b c n n"]:
        """`maps`, with the filter gradient waiting in its backward."""
        if not (self.training and self.epoch and maps.requires_grad):
            return maps
        return _AddFilterGradient.apply(maps, positive, self)


class _AddFilterGradient(torch.autograd.Function):
    """Forward the identity; backward task gradient + weighted filter gradient."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, positive: Tensor, regulariser: FilterRegulariser) -> Tensor:
        ctx.save_for_backward(maps, positive)
        ctx.regulariser = regulariser
        return maps.view_as(maps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, task: Tensor) -> tuple[Tensor, None, None]:
        maps, positive = ctx.saved_tensors
        regulariser = ctx.regulariser
        gradient = regulariser.gradient(maps, positive)
        weight = regulariser.weight(gradient, task, maps, regulariser.epoch)
        added = gradient.mul_(weight[:, None, None])
        regulariser.measure(added, task)
        return task + added, None, None
