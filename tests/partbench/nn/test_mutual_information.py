"""Mutual information of maps and templates against the sums of the paper, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.nn.mutual_information import mutual_information
from partbench.nn.templates import templates

quick = settings(max_examples=25, deadline=None)
sizes = st.integers(3, 7)
seeds = st.integers(0, 2**16)


def random_maps(seed: int, n: int, images: int = 4, filters: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(images, filters, n, n, generator=generator, dtype=torch.float64)


def bank64(n: int, tau_cells: float = 8.0) -> torch.Tensor:
    return templates(n, tau=tau_cells / n**2).double()


def likelihoods(x: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """p(x|T) (images, templates) of one filter's maps (images, n, n), literally Eq. (2)."""
    fit = torch.tensor([[math.exp((m * t).sum()) for t in bank] for m in x], dtype=torch.float64)
    return fit / fit.sum(dim=0)


def entropy(p: torch.Tensor) -> torch.Tensor:
    return -(p * p.log()).sum()


@quick
@given(seed=seeds, n=sizes)
def test_loss_is_the_double_sum_of_equation_1_with_the_prior_of_alpha(seed, n):
    x, bank = random_maps(seed, n), bank64(n)
    alpha = n**2 / (1 + n**2)
    prior = torch.tensor([alpha / n**2] * n**2 + [1 - alpha], dtype=torch.float64)
    loss = 0.0
    for f in range(x.shape[1]):
        p = likelihoods(x[:, f], bank)
        loss -= (prior * p * (p / (p @ prior)[:, None]).log()).sum().item()
    assert -mutual_information(x, bank).sum().item() == pytest.approx(loss, abs=1e-10)


@quick
@given(seed=seeds, n=sizes)
def test_minus_mutual_information_is_entropies_with_the_sign_of_equation_7_corrected(seed, n):
    x, bank = random_maps(seed, n, filters=1), bank64(n)
    p_given = likelihoods(x[:, 0], bank)
    prior = 1 / (n**2 + 1)
    joint = prior * p_given
    p = joint.sum(dim=1)
    posterior = joint / p[:, None]
    part = posterior[:, :-1].sum(dim=1)
    category = sum(p[k] * entropy(torch.stack([posterior[k, -1], part[k]])) for k in range(len(p)))
    spatial = sum(p[k] * part[k] * entropy(posterior[k, :-1] / part[k]) for k in range(len(p)))
    prior_entropy = math.log(n**2 + 1)
    expected = -prior_entropy + category + spatial
    assert -mutual_information(x, bank)[0].item() == pytest.approx(expected.item(), abs=1e-10)


@quick
@given(seed=seeds, n=sizes)
def test_mutual_information_is_between_zero_and_the_log_of_images_or_templates(seed, n):
    x = 20 * random_maps(seed, n, images=5)
    information = mutual_information(x, bank64(n))
    assert (information >= -1e-12).all()
    assert (information <= math.log(5)).all()


def test_equal_maps_carry_no_information():
    x = random_maps(3, 5, images=1).expand(6, -1, -1, -1)
    assert mutual_information(x, bank64(5)).abs().max() < 1e-12


def test_a_strong_part_at_every_place_and_a_silent_map_reach_the_most_information():
    # a map per template, fitting it far better than any other map does: X tells T
    n = 3
    x = torch.cat([torch.eye(n * n).view(n * n, 1, n, n), torch.zeros(1, 1, n, n)]).double() * 200
    information = mutual_information(x, templates(n, tau=1.0).double())
    assert information.item() == pytest.approx(math.log(n * n + 1), abs=1e-6)
