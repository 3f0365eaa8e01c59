"""Weights lambda of the filter loss relative to the loss of the task, one per filter (CVPR 2018, Eq. 3).

Each is a module that maps (filter gradient, task gradient, maps, epoch t >= 1) to the weights (c,), which multiply the
filter gradient. The task gradient is that of a loss averaged over the batch.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

RhoSchedule = Literal["constant", "1/t"]


class NormMatching(nn.Module):
    """Makes the filter gradient rho times as long as the task gradient, filter by filter; rho / t with schedule "1/t".

    Lengths are Euclidean norms over images and cells. Stable whatever the scale of activations (ours, in no paper).
    A filter without filter gradient, or that the task ignores, gets 0.
    """

    def __init__(self, rho: float = 1.0, schedule: RhoSchedule = "constant") -> None:
        super().__init__()
        if schedule not in ("constant", "1/t"):
            raise ValueError(f"no schedule '{schedule}'; expected 'constant' or '1/t'")
        self.rho, self.schedule = rho, schedule

    def forward(
        self, gradient: Float[Tensor, "b c n n"], task: Float[Tensor, "b c n n"], maps: Tensor, epoch: int
    ) -> Float[Tensor, "c"]:
        """rho * ||task|| / ||gradient|| of each filter."""
        rho = self.rho / epoch if self.schedule == "1/t" else self.rho
        length = length_per_filter(gradient)
        return torch.where(length > 0, rho * length_per_filter(task) / length, 0.0)


class ActivationWeight(nn.Module):
    """The paper's lambda: scale / t * mean over images of max_ij x, per filter (section 5, "Implementation details").

    The mean is over batches with weight `decay` on the past, kept as `peaks`; the first training batch sets it. The
    paper gives no scale; ports of it use 5e-6. Strong activations get a strong loss that strengthens them: it can run
    away.
    """

    peaks: Tensor

    def __init__(self, filters: int, scale: float = 5e-6, decay: float = 0.9) -> None:
        super().__init__()
        self.scale, self.decay = scale, decay
        self.register_buffer("peaks", torch.full((filters,), torch.nan))

    def forward(self, gradient: Tensor, task: Tensor, maps: Float[Tensor, "b c n n"], epoch: int) -> Float[Tensor, "c"]:
        """The weights; a training batch moves `peaks` first."""
        batch = maps.amax(dim=(2, 3)).mean(dim=0)
        moved = self.decay * self.peaks + (1 - self.decay) * batch if self.training else self.peaks
        peaks = torch.where(self.peaks.isnan(), batch, moved)
        if self.training:
            self.peaks.copy_(peaks)
        return self.scale / epoch * peaks


class EpochWeight(nn.Module):
    """The released code's weight, scale / (10 t), with scale 1e-5.

    That code sums its loss over the batch and divides the gradient of parameters by the batch later; here the task
    loss is a mean, so the weight is divided by the batch.
    """

    def __init__(self, scale: float = 1e-5) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, gradient: Float[Tensor, "b c n n"], task: Tensor, maps: Tensor, epoch: int) -> Float[Tensor, "c"]:
        """The same weight for every filter."""
        images, filters = gradient.shape[:2]
        return gradient.new_full((filters,), self.scale / (10 * epoch * images))


def length_per_filter(gradient: Float[Tensor, "b c n n"]) -> Float[Tensor, "c"]:
    """Euclidean norm over images and cells."""
    return torch.linalg.vector_norm(gradient, dim=(0, 2, 3))
