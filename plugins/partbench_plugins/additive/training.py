"""The additive model and its training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from partbench.functional.statistics import entropy
from partbench_plugins.additive.concepts import ConceptTrainingSet
from partbench_plugins.additive.prior import cross_entropy_prior, direction_prior
from partbench_plugins.additive.weight_network import WeightNetworkKind, weight_network
from partbench_plugins.settling import SettlingTraining, TrainingRecord, Watch, held_out_tenth

Progress = Callable[[str, int, int], None]
BIAS_RATE = 10.0
SIZE = 256  # images at once where there is no training


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


@dataclass(frozen=True)
class AdditiveTraining(SettlingTraining):
    """Training until the entropy of the contributions and the deviation settle on images held out by the seed.

    beta: of the weight beta / sqrt(epoch) of the prior loss.
    """

    beta: float = 0.0
    seed: int = 0


def train(
    model: AdditiveModel, training_set: ConceptTrainingSet, training: AdditiveTraining, progress: Progress
) -> TrainingRecord:
    """Train in place, with torch's global random numbers; the weight of the prior loss is beta / sqrt(epoch), from 1.

    Both losses are divided by the variance of the logit: that leaves the minimum where it is, and a rate of Adam means
    the same for all. The images drawn are of both signs of the logit equally often; no annotation is used.
    """
    device, variance = model.bias.device, float(training_set.logit.var())
    prior_loss = cross_entropy_prior if model.positive else direction_prior
    signs, strength = (training_set.logit > 0).long(), training.beta
    rows, held = held_out_tenth(signs, training.seed)

    def before_epoch(epoch: int) -> None:
        nonlocal strength
        strength = training.beta / math.sqrt(epoch)
        progress("weighing the concepts", epoch - 1, training.epochs)

    def loss(positions: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        features, values, logit, prior = (column[rows[positions]].to(device).float() for column in training_set)
        added = model(features, values)
        error = F.mse_loss(added.logit, logit)
        if strength:
            error = error + strength * prior_loss(added.alpha, prior * model.used)
        return error / variance

    def values() -> dict[str, float]:
        model.eval()
        found = measured(model, training_set, held)
        model.train()
        return found._asdict()

    model.train()
    watch = Watch(values, ["deviation"])
    record = training.until_settled(loss, model.parameters(), signs[rows], watch, before_epoch)
    progress("weighing the concepts", training.epochs, training.epochs)
    model.eval().requires_grad_(False)
    return record


class Measured(NamedTuple):
    """Of some training images: mean entropy of the contributions in nats, and the relative deviation of the logit."""

    entropy: float
    deviation: float


@torch.no_grad()
def measured(model: AdditiveModel, training_set: ConceptTrainingSet, rows: Int[Tensor, "h"]) -> Measured:
    """Entropy of |alpha_i y_i| over their sum, and mean |error| over the range of the logit of all training images."""
    shares, errors = [], []
    for some in rows.split(SIZE):
        features, values, logit, _ = (column[some].to(model.bias.device).float() for column in training_set)
        added = model(features, values)
        shares.append((added.alpha * values).abs().cpu())
        errors.append((added.logit - logit).abs().cpu())
    span = float(training_set.logit.max() - training_set.logit.min())
    return Measured(float(np.nanmean(entropy(torch.cat(shares).numpy()))), float(torch.cat(errors).mean()) / span)


@torch.no_grad()
def predicted(model: AdditiveModel, training_set: ConceptTrainingSet, size: int = SIZE) -> Float[Tensor, "N"]:
    """The logits of the model for all training images, on the CPU."""
    parts = zip(training_set.features.split(size), training_set.values.split(size), strict=True)
    device = model.bias.device
    return torch.cat([model(maps.to(device).float(), values.to(device)).logit.cpu() for maps, values in parts])
