from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from partbench_plugins.additive.prior import cross_entropy_prior, direction_prior, filter_weights, output_weights


def test_filter_weights_are_the_positive_part_of_the_summed_derivative():
    torch.manual_seed(0)
    head = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 5), nn.ReLU(), nn.Linear(5, 1)).double()
    maps = torch.rand(4, 3, 2, 2, dtype=torch.double)
    found, step = filter_weights(head, maps), 1e-6
    for image in range(4):
        for k in range(3):
            slope = 0.0
            for cell in range(4):
                moved = maps[image : image + 1].clone()
                moved[0, k, cell // 2, cell % 2] += step
                slope += float((head(moved) - head(maps[image : image + 1])).detach()) / step
            assert float(found[image, k]) == pytest.approx(max(slope, 0.0), abs=1e-5)
    assert all(parameter.grad is None for parameter in head.parameters())


def test_prior_weights_of_a_whole_batch_take_one_backward_pass_for_each_explained_logit_or_output(monkeypatch):
    calls, original = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **given: calls.append(1) or original(*args, **given))
    filter_weights(nn.Sequential(nn.Flatten(), nn.Linear(8, 1)), torch.rand(16, 2, 2, 2))
    assert len(calls) == 1
    output_weights(nn.Linear(6, 4), torch.rand(16, 6), 2)
    assert len(calls) == 1 + 4


def test_output_weights_of_a_linear_layer_are_ratios_of_its_rows():
    layer = nn.Linear(7, 4).double()
    rows = layer.weight.detach()
    found = output_weights(layer, torch.rand(3, 7, dtype=torch.double), 1)
    for column, other in enumerate((0, 2, 3)):
        expected = (rows[1] @ rows[other]) / (rows[other] @ rows[other])
        torch.testing.assert_close(found[:, column], expected.expand(3))


def test_output_weights_are_what_a_step_towards_an_output_does_to_the_target():
    torch.manual_seed(1)
    head = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    x, step = torch.rand(1, 6, dtype=torch.double), 1e-6
    found = output_weights(head, x, 0)
    for column, other in enumerate((1, 2)):
        leaf = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(head(leaf)[0, other], leaf)
        change = head(x + step * slope) - head(x)
        assert float(found[0, column]) == pytest.approx(float(change[0, 0] / change[0, other]), rel=1e-4)


def test_an_output_that_features_do_not_move_has_no_weight():
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight[1:].detach())
    assert float(output_weights(layer, torch.rand(2, 3), 0).abs().max()) == 0


vectors = st.lists(st.floats(0.01, 10), min_size=3, max_size=3)


@given(alpha=vectors, prior=vectors, factor=st.floats(0.1, 10))
@settings(max_examples=50, deadline=None)
def test_cross_entropy_is_least_where_weights_are_proportional_to_their_prior(alpha, prior, factor):
    alpha, prior = (torch.tensor([values], dtype=torch.double) for values in (alpha, prior))
    loss = float(cross_entropy_prior(alpha, prior))
    share = prior / prior.sum()
    least = -float((share * share.log()).sum())
    literal = -sum(
        float(p / prior.sum()) * math.log(float(a / alpha.sum())) for a, p in zip(alpha[0], prior[0], strict=True)
    )
    assert loss == pytest.approx(literal)
    assert loss >= least - 1e-9
    assert float(cross_entropy_prior(factor * prior, prior)) == pytest.approx(least)


def test_cross_entropy_is_finite_where_a_prior_weight_is_zero_and_skips_images_without_prior():
    alpha = torch.tensor([[1.0, 1.0], [3.0, 1.0]], requires_grad=True)
    loss = cross_entropy_prior(alpha, torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    assert float(loss) == pytest.approx(math.log(2))
    loss.backward()
    assert torch.isfinite(alpha.grad).all()
    assert not alpha.grad[1].any()


def test_losses_of_images_that_all_lack_a_prior_are_zero():
    alpha, nothing = torch.rand(2, 3), torch.zeros(2, 3)
    assert float(cross_entropy_prior(alpha, nothing)) == float(direction_prior(alpha, nothing)) == 0


@pytest.mark.parametrize(
    ("prior", "expected"), [([2.0, 2.0], 0.0), ([1.0, -1.0], 2.0), ([-3.0, -3.0], 4.0), ([0.0, 0.0], 0.0)]
)
def test_direction_loss_is_the_squared_distance_of_unit_vectors(prior, expected):
    assert float(direction_prior(torch.tensor([[5.0, 5.0]]), torch.tensor([prior]))) == pytest.approx(expected)
