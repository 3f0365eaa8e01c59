"""Mutual information between the maps of a filter and its part templates (CVPR 2018, Eqs. 1 and 2).

X are the maps of one filter over the batch, T the templates, all with the prior 1 / (n^2 + 1) that the paper's
alpha = n^2 / (1 + n^2) amounts to. Traces are one matrix product and likelihoods stay in log space, so nothing is
larger than images x filters x templates.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor

from partbench.nn.templates import check_maps


def traces(maps: Float[Tensor, "b c n n"], bank: Float[Tensor, "t n n"]) -> Float[Tensor, "b c t"]:
    """tr(x.T) = sum_ij x_ij t_ij of every map with every template (elementwise, as paper Eq. (2) and the code)."""
    check_maps(maps, bank)
    return maps.flatten(2) @ bank.flatten(1).T


def log_ratios(trace: Float[Tensor, "b c t"]) -> tuple[Float[Tensor, "b c t"], Float[Tensor, "b c t"]]:
    """log p(x|T) and log p(x|T) - log p(x), with Z_T summed over the batch (Eq. (2))."""
    likelihood = trace - trace.logsumexp(dim=0)
    evidence = likelihood.logsumexp(dim=2, keepdim=True) - math.log(trace.shape[2])
    return likelihood, likelihood - evidence


def mutual_information(maps: Float[Tensor, "b c n n"], bank: Float[Tensor, "t n n"]) -> Float[Tensor, "c"]:
    """MI(X; T) of each filter over the batch in nats, in [0, log min(b, n^2 + 1)] (minus Eq. (1))."""
    likelihood, ratio = log_ratios(traces(maps, bank))
    return (likelihood.exp() * ratio).sum(dim=(0, 2)) / bank.shape[0]
