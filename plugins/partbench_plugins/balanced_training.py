"""Training on images drawn so that each label comes equally often."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Loss = Callable[[Int[Tensor, "b"]], Float[Tensor, ""]]  # takes positions in `labels`
Parameters = Iterable[Tensor] | Iterable[dict[str, Any]]  # parameters, or parameter groups of torch's optimisers


def unobserved(epoch: int) -> None:
    """The callback that does nothing."""


@dataclass(frozen=True)
class BalancedTraining:
    """Adam or SGD, with a rate that falls to 0 along a cosine, on batches in which each label is equally likely.

    Images are drawn with replacement. An epoch draws so many that each image of the rarest label comes once on average.
    `batch_size` is the most a batch holds; the batches of an epoch differ by one image at most. SGD has momentum 0.9.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    optimiser: Literal["adam", "sgd"] = "adam"
    weight_decay: float = 0.0

    def minimise(
        self, loss: Loss, parameters: Parameters, labels: Int[Tensor, "N"],
        before_epoch: Callable[[int], None] = unobserved, after_epoch: Callable[[int], None] = unobserved,
    ) -> None:  # fmt: skip
        """Change the parameters in place; images are drawn by torch's global generator of the CPU.

        `loss` takes positions in `labels`. The callbacks take the epoch, counted from 1.
        """
        odds = balanced_odds(labels)
        drawn = round(float(odds.sum() / odds.max()))
        batches = math.ceil(drawn / self.batch_size)
        optimiser = self._optimiser(parameters)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.epochs * batches)
        for epoch in range(1, self.epochs + 1):
            before_epoch(epoch)
            for positions in torch.multinomial(odds, drawn, replacement=True).tensor_split(batches):
                optimiser.zero_grad()
                loss(positions).backward()
                optimiser.step()
                cosine.step()
            after_epoch(epoch)

    def _optimiser(self, parameters: Parameters) -> torch.optim.Optimizer:
        if self.optimiser == "sgd":
            return torch.optim.SGD(parameters, self.learning_rate, 0.9, weight_decay=self.weight_decay, fused=True)
        return torch.optim.Adam(parameters, self.learning_rate, weight_decay=self.weight_decay, fused=True)


def balanced_odds(labels: Int[Tensor, "N"]) -> Float[Tensor, "N"]:
    """How likely each image is to be drawn, relative to the others, when all labels come equally often."""
    _, group, counts = labels.unique(return_inverse=True, return_counts=True)
    odds: Tensor = 1 / counts[group].double()
    return odds
