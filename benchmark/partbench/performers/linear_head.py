"""A linear layer on frozen features, fitted to the training images of a dataset: a linear probe."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from partbench.performers.dataset_outputs import Truth

RIDGE = 1e-3  # times half the squared weights, on features of deviation 1
STEPS = 200


def fitted_linear(features: Float[Tensor, "n d"], truth: Truth, outputs: int) -> nn.Linear:
    """The layer with the least loss on these features, from zero weights: nothing is drawn.

    Multinomial logistic regression of classes, each of the same weight; logistic regression of a lone logit (both sides
    of the same weight) or of each attribute where it is known. Features are standardised, with ridge 1e-3, and the
    loss is brought down by L-BFGS; the layer returned takes features as they are.
    """
    mean, deviation = features.mean(0), features.std(0, correction=0)
    scale = torch.where(deviation > 1e-6 * deviation.amax().clamp(min=1e-12), 1 / deviation, 0.0)
    inputs, truth = (features - mean) * scale, truth.to(features.device)
    weight = torch.zeros(outputs, features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(outputs, device=features.device, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=STEPS, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimiser.zero_grad()
        loss = balanced_loss(F.linear(inputs, weight, bias), truth) + RIDGE / 2 * weight.square().sum()
        loss.backward()
        return float(loss.detach())

    with torch.enable_grad():
        optimiser.step(closure)
    layer = nn.utils.skip_init(nn.Linear, features.shape[1], outputs)
    with torch.no_grad():
        layer.weight.copy_(weight * scale)
        layer.bias.copy_(bias - (weight * scale) @ mean)
    return layer


def balanced_loss(logits: Float[Tensor, "n c"], truth: Truth) -> Float[Tensor, ""]:
    """Cross-entropy in which all classes that occur, or both sides of a lone logit, have the same weight.

    Of attributes, the mean binary cross-entropy over those that are known.
    """
    if truth.ndim > 1:
        known = truth.isfinite()
        return F.binary_cross_entropy_with_logits(logits[known], (truth[known] > 0).float())
    rarity = (1 / truth.bincount().clamp(min=1))[truth]
    rarity = rarity / rarity.sum()
    if logits.shape[1] == 1:
        return (F.binary_cross_entropy_with_logits(logits[:, 0], truth.float(), reduction="none") * rarity).sum()
    return (F.cross_entropy(logits, truth, reduction="none") * rarity).sum()
