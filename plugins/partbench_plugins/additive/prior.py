"""Prior weights of concepts, from derivatives of the logit, and losses that keep g near them.

Source: additive explainer, section 3.1 and equation 4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Weights = Float[Tensor, "n k"]


def filter_weights(classify: Callable[[Tensor], Tensor], maps: Float[Tensor, "n k h w"]) -> Weights:
    """Case 1: w_i = the sum over cells of d logit / d map_i, 0 where it is negative, from one backward pass.

    Without the 1/Z of equation 5, which the loss cancels. `classify` takes maps to one logit of each image, (n, 1).
    """
    leaf = maps.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(classify(leaf).sum(), leaf)
    return gradient.sum((2, 3)).relu()


def output_weights(classify: Callable[[Tensor], Tensor], shared: Float[Tensor, "n f"], target: int) -> Weights:
    """Case 2: w_i = <d y / d x, d y_i / d x> / ||d y_i / d x||^2, of either sign; a backward pass for each output.

    `classify` takes features x to logits (n, o); y is the logit `target`, and w has a column for each of the others,
    in their order. 0 for an output that x does not move.
    """
    leaf = shared.detach().requires_grad_()
    with torch.enable_grad():
        logits = classify(leaf)
        slopes = [torch.autograd.grad(column.sum(), leaf, retain_graph=True)[0] for column in logits.unbind(1)]
    of_target = slopes.pop(target)
    return torch.stack([_ratio(of_target, slope) for slope in slopes], 1)


def _ratio(of_target: Float[Tensor, "n f"], slope: Float[Tensor, "n f"]) -> Float[Tensor, "n"]:
    squared = slope.square().sum(1)
    return torch.where(squared > 0, (of_target * slope).sum(1) / squared, 0)


def cross_entropy_prior(alpha: Weights, prior: Weights) -> Float[Tensor, ""]:
    """-sum_i w_i ln a_i of vectors that are >= 0 and scaled to a sum of 1; mean over images with a prior above 0.

    Equation 4, first case. The paper writes crossEntropy(a, w) and does not say which is the target: w, as it holds
    zeros, whose logarithm is infinite. At least the entropy of w, which is reached where a is proportional to w.
    """
    known = prior.sum(1) > 0
    target = prior[known] / prior[known].sum(1, keepdim=True)
    share = alpha[known] / alpha[known].sum(1, keepdim=True)
    losses = -(target * share.clamp_min(torch.finfo(share.dtype).tiny).log()).sum(1)
    return losses.sum() / max(1, len(losses))


def direction_prior(alpha: Weights, prior: Weights) -> Float[Tensor, ""]:
    """||a / |a|_2 - w / |w|_2||^2 in [0, 4]: 0 for one direction, 4 for opposite ones; mean over images with a prior.

    Equation 4, second case.
    """
    known = prior.norm(dim=1) > 0
    apart = torch.nn.functional.normalize(alpha[known]) - torch.nn.functional.normalize(prior[known])
    return apart.square().sum(1).sum() / max(1, len(apart))
