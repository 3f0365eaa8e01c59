from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from partbench import Explanation, ReceptiveField
from partbench.functional import (
    correlation,
    covariances,
    excess_norm,
    mean_covariance,
    negative_logdet,
)
from partbench.functional.orthogonality import RIDGE


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).double()


def test_identity_correlation_gives_zero_without_any_trace_of_the_ridge():
    matrix = correlation(torch.diag(torch.tensor([1.0, 4.0, 9.0]).double()))
    assert torch.equal(matrix, torch.eye(3).double())


@pytest.mark.parametrize("size", [1, 3, 4, 9])
@pytest.mark.parametrize("grid", [None, ReceptiveField(offset=1.5, stride=3, size=7)])
def test_covariances_are_those_of_the_upsampled_maps_scaled_to_mean_1(grid, size):
    maps = random(3, 4, 5, 4)
    maps[1, 2] = 0
    explanation = Explanation(maps, grid=grid)
    blocks, mass = covariances(maps, *explanation.upsampling(12, 16), size)
    starts, parts = zip(*blocks, strict=True)
    found = torch.cat(parts, 1)
    assert starts == tuple(range(0, 4, size))
    heat = explanation.heatmaps(12, 16).flatten(2)
    scaled = heat / heat.mean(2, keepdim=True).where(heat.mean(2, keepdim=True) > 0, torch.tensor(1.0))
    expected = np.stack([np.cov(image, ddof=0) for image in scaled.numpy()])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert mass.tolist() == [[1, 1, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]]
    assert not found[1, 2].any()


def test_correlation_divides_by_the_deviations_and_has_a_diagonal_of_exactly_1():
    matrix = correlation(torch.tensor([[4.0, 3.0], [3.0, 9.0]]).double())
    assert matrix.tolist() == [[1, pytest.approx(0.5 / (1 + RIDGE))], [pytest.approx(0.5 / (1 + RIDGE)), 1]]


def test_a_concept_without_variance_correlates_with_none_and_one_of_nan_variance_is_nan():
    matrix = correlation(torch.tensor([[1e-13, 1e-7], [1e-7, 1.0]]).double())
    assert torch.equal(matrix, torch.eye(2).double())
    assert correlation(torch.tensor([[math.nan]]).double()).isnan().all()


@pytest.mark.parametrize("pooled", [False, True])
def test_mean_covariance_is_that_of_an_image_or_of_all_pixels_together(pooled):
    values = random(4, 3, 50)
    centred = values - values.mean(2, keepdim=True)
    each, first = (values @ values.mT if pooled else centred @ centred.mT) / 50, values.mean(2)
    found = mean_covariance(each.sum(0), first.sum(0), 4, pooled)
    expected = np.cov(np.concatenate(values.numpy(), axis=1), ddof=0) if pooled else each.mean(0)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_excess_norm_runs_from_0_for_the_identity_to_k_less_its_root_for_equal_maps():
    matrices = torch.stack([torch.eye(4), torch.ones(4, 4)]).double()
    assert excess_norm(matrices).tolist() == pytest.approx([0, 2])
    assert excess_norm(torch.eye(3).double()[None] * (1 - 1e-9)).item() == 0  # rounding does not go below 0


def test_negative_logdet_is_that_of_the_matrix_and_never_below_0():
    matrix = torch.tensor([[1.0, 0.6], [0.6, 1.0]]).double()
    assert negative_logdet(matrix[None]).item() == pytest.approx(-math.log(1 - 0.36))
    assert negative_logdet((1 + 1e-9) * torch.eye(2).double()[None]).item() == 0
