"""The terms of the objective against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench_plugins.srae.losses import dimension_errors, faithfulness, log_penalty, pull_away

SEEDS = st.integers(0, 10_000)
QUICK = settings(max_examples=25, deadline=None)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@QUICK
@given(SEEDS, st.floats(0.01, 200))
def test_log_penalty_is_the_closed_form_of_equation_4(seed: int, q: float):
    z, rebuilt = draw(7, 4, seed=seed).numpy(), draw(7, 4, seed=seed + 1).numpy()
    expected = 0.0
    for k in range(4):
        q_k = sum((rebuilt[i, k] - z[i, k]) ** 2 for i in range(7)) / 7
        expected += math.log(1 + q * q_k) / 4
    errors = dimension_errors(torch.from_numpy(rebuilt), torch.from_numpy(z))
    assert errors.shape == (4,)
    assert float(log_penalty(errors, q)) == pytest.approx(expected)


def test_log_penalty_prefers_one_large_error_to_many_middling_ones_of_the_same_sum():
    assert log_penalty(torch.tensor([4.0, 0, 0, 0]), 10) < log_penalty(torch.tensor([1.0, 1, 1, 1]), 10)


@QUICK
@given(SEEDS, st.integers(2, 6))
def test_pull_away_along_features_is_equation_3(seed: int, n: int):
    e = draw(9, n, seed=seed).numpy()
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
    cosines = [e[:, a] @ e[:, b] / (np.linalg.norm(e[:, a]) * np.linalg.norm(e[:, b])) for a, b in pairs]
    expected = sum(cosine**2 for cosine in cosines) / (n * (n - 1))
    assert float(pull_away(torch.from_numpy(e).T)) == pytest.approx(expected)


@QUICK
@given(SEEDS)
def test_pull_away_along_images_is_the_same_formula_over_images(seed: int):
    contributions = draw(6, 3, seed=seed)
    cosines = [
        torch.cosine_similarity(contributions[a], contributions[b], dim=0) for a in range(6) for b in range(6) if a != b
    ]
    assert float(pull_away(contributions)) == pytest.approx(float(torch.stack(cosines).square().sum()) / 30)


def test_pull_away_is_zero_for_orthogonal_and_one_for_parallel_vectors():
    assert float(pull_away(torch.eye(5))) == 0
    assert float(pull_away(torch.tensor([[1.0, 2.0], [-3.0, -6.0], [0.5, 1.0]]))) == pytest.approx(1)


@QUICK
@given(SEEDS, st.floats(0.1, 50))
def test_pull_away_does_not_change_with_the_length_of_the_vectors(seed: int, factor: float):
    vectors = draw(4, 6, seed=seed)
    scaled = vectors * torch.tensor([factor, 1, -1, 1 / factor], dtype=torch.float64)[:, None]
    assert float(pull_away(scaled)) == pytest.approx(float(pull_away(vectors)))


def test_a_dead_feature_has_no_direction_and_gives_no_infinite_gradient():
    features = torch.tensor([[1.0, 0.0], [2.0, 0.0]], requires_grad=True)
    value = pull_away(features.T)
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(features.grad).all()


def test_pull_away_of_a_single_vector_is_zero():
    assert float(pull_away(torch.ones(1, 4))) == 0


def test_faithfulness_is_the_weighted_mean_square():
    predicted, logits, weight = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0]), torch.tensor([0.5, 1.5])
    assert float(faithfulness(predicted, logits, weight)) == pytest.approx((0.5 * 1 + 1.5 * 4) / 2)


def test_faithfulness_refuses_a_column_that_would_broadcast():
    with pytest.raises(ValueError, match=r"\(3, 1\), \(3,\)"):
        faithfulness(torch.ones(3, 1), torch.ones(3), torch.ones(3))
