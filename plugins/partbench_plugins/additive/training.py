"""The additive model and its training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from partbench_plugins.additive.concepts import ConceptTrainingSet
from partbench_plugins.additive.prior import cross_entropy_prior, direction_prior
from partbench_plugins.additive.weight_network import WeightNetworkKind, weight_network
from partbench_plugins.balanced_training import BalancedTraining

Progress = Callable[[str, int, int], None]
BIAS_RATE = 10.0


class AdditivePrediction(NamedTuple):
    """Weights of the concepts, and what they make of the logit."""

    alpha: Float[Tensor, "n k"]
    logit: Float[Tensor, "n"]


class AdditiveModel(nn.Module):
    """logit = sum_i alpha_i y_i + b, alpha = g(features); alpha > 0 (softplus) if `positive` (equations 1 and 2).

    Weights and bias are learned in units (buffers) that `start` fits to the logit; a unit of 0 holds the bias at 0.
    Concepts whose `used` (a buffer) is 0 have weight 0.
    """

    def __init__(self, kind: WeightNetworkKind, channels: int, concepts: int, positive: bool) -> None:
        super().__init__()
        self.weigher, self.positive = weight_network(kind, channels, concepts), positive
        self.bias = nn.Parameter(torch.zeros(()))
        for name in ("unit", "scale"):
            self.register_buffer(name, torch.ones(()))
        self.register_buffer("used", torch.ones(concepts))
        self.unit: Tensor
        self.scale: Tensor
        self.used: Tensor

    def forward(self, features: Float[Tensor, "n c h w"], values: Float[Tensor, "n k"]) -> AdditivePrediction:
        """Weights (n, k) and logits (n,)."""
        raw = self.weigher(features)
        alpha = self.used * self.scale * (F.softplus(raw) if self.positive else raw)
        return AdditivePrediction(alpha, (alpha * values).sum(1) + self.offset)

    @property
    def offset(self) -> Float[Tensor, ""]:
        """The bias b, in units of the logit."""
        return self.bias * self.unit

    @torch.no_grad()
    def start(self, training_set: ConceptTrainingSet, with_bias: bool = True) -> None:
        """Equal weights start where concepts add up to about one standard deviation of the logit (ours).

        The paper says nothing of scales; unscaled, sums over cells start orders of magnitude above the logit. The bias
        learns BIAS_RATE times as fast as the rest, or would stay where it starts.
        """
        spread = training_set.logit.std().clamp_min(1e-6)
        size = (training_set.values.square().mean(0).sqrt().to(self.used) * self.used).sum().clamp_min(1e-6)
        self.scale.copy_(spread / size / (math.log(2) if self.positive else 1))
        self.unit.copy_(BIAS_RATE * spread * int(with_bias))
        self.bias.copy_((training_set.logit.mean() / spread - int(self.positive)) / BIAS_RATE)


def train(
    model: AdditiveModel, training_set: ConceptTrainingSet, beta: float, training: BalancedTraining, progress: Progress
) -> None:
    """Train in place, with torch's global random numbers; the weight of the prior loss is beta / sqrt(epoch), from 1.

    Both losses are divided by the variance of the logit: that leaves the minimum where it is, and a rate of Adam means
    the same for all. The images drawn are of both signs of the logit equally often; no annotation is used.
    """
    device, variance = model.bias.device, float(training_set.logit.var())
    prior_loss = cross_entropy_prior if model.positive else direction_prior
    strength = beta

    def before_epoch(epoch: int) -> None:
        nonlocal strength
        strength = beta / math.sqrt(epoch)

    def loss(rows: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        features, values, logit, prior = (column[rows].to(device).float() for column in training_set)
        added = model(features, values)
        error = F.mse_loss(added.logit, logit)
        if strength:
            error = error + strength * prior_loss(added.alpha, prior * model.used)
        return error / variance

    def after_epoch(epoch: int) -> None:
        progress("weighing the concepts", epoch, training.epochs)

    model.train()
    training.minimise(loss, model.parameters(), (training_set.logit > 0).long(), before_epoch, after_epoch)
    model.eval().requires_grad_(False)


@torch.no_grad()
def predicted(model: AdditiveModel, training_set: ConceptTrainingSet, size: int = 256) -> Float[Tensor, "N"]:
    """The logits of the model for all training images, on the CPU."""
    parts = zip(training_set.features.split(size), training_set.values.split(size), strict=True)
    device = model.bias.device
    return torch.cat([model(maps.to(device).float(), values.to(device)).logit.cpu() for maps, values in parts])
