"""The first stage of every performer: from RGB in [0, 1] to the input that the network was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Normalise(nn.Module):
    """Images minus `mean`, divided by `std`, channel by channel; both in units of images in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, images: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n 3 H W"]:
        """The normalised images."""
        return (images - self.mean) / self.std
