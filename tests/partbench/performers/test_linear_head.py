from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from partbench.performers.linear_head import RIDGE, balanced_loss, fitted_linear


def features(n: int = 120, d: int = 6) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=draw) * torch.tensor([1, 3, 0.1, 2, 1, 0]) + torch.tensor([0, 5, 0, -2, 1, 4])


def test_it_is_the_balanced_logistic_regression_of_sklearn() -> None:
    x = features()
    noise = torch.randn(len(x), 3, generator=torch.Generator().manual_seed(1))
    truth = (torch.stack([x[:, 0], x[:, 2] * 10, x[:, 3] + 3], 1) + noise).argmax(1)
    layer = fitted_linear(x, truth, 3)
    scale = x[:, :5].std(0, correction=0)
    inputs = ((x[:, :5] - x[:, :5].mean(0)) / scale).double().numpy()
    # sklearn: C sum of losses + half the squares; weights of "balanced" sum to n, ours to 1
    known = LogisticRegression(C=1 / (RIDGE * len(x)), class_weight="balanced", tol=1e-10, max_iter=5000)
    expected = known.fit(inputs, truth.numpy()).predict_proba(inputs)
    found = layer(x).softmax(1).detach().numpy()
    assert np.abs(found - expected).max() < 5e-3
    assert torch.isfinite(layer.weight).all()
    assert (layer.weight[:, 5] == 0).all(), "a feature that never varies has no weight"


def test_a_lone_logit_gives_both_sides_the_same_weight() -> None:
    logits, truth = torch.zeros(10, 1), torch.tensor([1] + [0] * 9)
    rare = balanced_loss(torch.where(truth[:, None] > 0, -2.0, logits), truth)
    common = balanced_loss(torch.where(truth[:, None] > 0, logits, 2.0), truth)
    assert torch.allclose(rare, common)


def test_attributes_that_are_unknown_do_not_count() -> None:
    x = features()
    truth = torch.stack([x[:, 0].sign(), -x[:, 3].sign()], 1)
    truth[::2, 1] = torch.nan
    layer = fitted_linear(x, truth, 2)
    assert ((layer(x)[:, 0] > 0) == (x[:, 0] > 0)).float().mean() > 0.95
    assert torch.isfinite(layer.weight).all()


def test_fitting_draws_no_random_numbers() -> None:
    truth = (features()[:, 0] > 0).long()
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    first = fitted_linear(features(), truth, 2)
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(first.weight, fitted_linear(features(), truth, 2).weight)
