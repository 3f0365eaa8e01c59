"""Grad-CAM, and what each channel of a map adds to a logit to first order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def grad_cam(head: nn.Module, maps: Float[Tensor, "n c h w"], target: int | Int[Tensor, "n"]) -> Float[Tensor, "n h w"]:
    """Grad-CAM of a logit over the cells of `maps`: >= 0, in the units of the logit, not normalised.

    ReLU(sum_c a_c A_c), where a_c is the mean over cells of d logit / d A_c. Source: Selvaraju et al., "Grad-CAM",
    ICCV 2017, equations 1 and 2. `head` takes maps to logits, (n, k) or (n,); `target` says which of the k, one for
    all images or one each, and means nothing for a head of one logit (n,). The head is left as it was and runs as in
    evaluation mode, where images do not see each other; one backward pass serves all of them.
    """
    weights = _gradient(head, maps, target).mean((2, 3))
    return torch.einsum("nc,nchw->nhw", weights, maps.detach()).relu()


def channel_contributions(
    head: nn.Module, maps: Float[Tensor, "n c h w"], target: int | Int[Tensor, "n"]
) -> Float[Tensor, "n c"]:
    """What each channel adds to the logit, to first order: the sum over cells of gradient times activation.

    In the units of the logit, of either sign. They sum to logit minus bias where the head is linear (or piecewise
    linear without biases), and are approximate elsewhere. Arguments as in `grad_cam`.
    """
    return (_gradient(head, maps, target) * maps.detach()).sum((2, 3))


def _gradient(head: nn.Module, maps: Tensor, target: int | Tensor) -> Float[Tensor, "n c h w"]:
    if maps.ndim != 4:
        raise ValueError(f"the maps are {tuple(maps.shape)}, expected (n, c, h, w)")
    leaf = maps.detach().requires_grad_()
    with torch.enable_grad(), _evaluation(head):
        logits = head(leaf.clone())  # a head may begin with a layer that works in place
        (gradient,) = torch.autograd.grad(_chosen(logits, target).sum(), leaf)
    return gradient


def _chosen(logits: Tensor, target: int | Tensor) -> Float[Tensor, "n"]:
    if logits.ndim == 1:
        return logits
    if logits.ndim != 2:
        raise ValueError(f"the head gives {tuple(logits.shape)}, expected logits (n, k) or (n,)")
    n, k = logits.shape
    columns = torch.as_tensor(target, device=logits.device).expand(n)
    outside = columns[(columns < 0) | (columns >= k)]
    if len(outside):
        raise ValueError(f"no logit {int(outside[0])}; the head gives logits 0 to {k - 1}")
    return logits[torch.arange(n, device=logits.device), columns]


@contextmanager
def _evaluation(head: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in head.modules()]
    head.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
