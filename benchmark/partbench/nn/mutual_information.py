"""Mutual information between the maps of a filter and its part templates (CVPR 2018, Eqs. 1 and 2).

X are the maps of one filter over the batch, T the templates, all with the prior 1 / (n^2 + 1) that the paper's
alpha = n^2 / (1 + n^2) amounts to. Traces are one matrix product, nothing is larger than images x filters x templates.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from partbench.nn.templates import check_maps


def traces(maps: Float[Tensor, "b c n n"], bank: Float[Tensor, "t n n"]) -> Float[Tensor, "b c t"]:
    """tr(x.T) = sum_ij x_ij t_ij of every map with every template (elementwise, as paper Eq. (2) and the code)."""
    check_maps(maps, bank)
    return maps.flatten(2) @ bank.flatten(1).T


def pointwise(trace: Float[Tensor, "b c t"]) -> tuple[Float[Tensor, "b c t"], Float[Tensor, "b c t"]]:
    """p(x|T), with Z_T summed over the batch (Eq. (2)), and p(x|T) (log p(x|T) - log p(x)), whose sums make up Eq. (1).

    Likelihoods too small for a number are 0, and so is what they add.
    """
    tiny = torch.finfo(trace.dtype).tiny
    likelihood = trace.softmax(dim=0)
    evidence = likelihood.mean(dim=2, keepdim=True).clamp_min(tiny)
    ratio = (likelihood / evidence).clamp_min_(tiny).log_()
    return likelihood, ratio.mul_(likelihood)


def mutual_information(maps: Float[Tensor, "b c n n"], bank: Float[Tensor, "t n n"]) -> Float[Tensor, "c"]:
    """MI(X; T) of each filter over the batch in nats, in [0, log min(b, n^2 + 1)] (minus Eq. (1))."""
    return pointwise(traces(maps, bank))[1].sum(dim=(0, 2)) / bank.shape[0]
