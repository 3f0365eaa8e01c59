"""Grad-CAM against its equations written out, on heads where the answer is known, and what it leaves behind."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from partbench import channel_contributions, grad_cam


def convolutional_head(channels: int = 3, units: int = 4) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.ReLU(inplace=True), nn.Conv2d(channels, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.Dropout(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(20, 6), nn.Tanh(), nn.Linear(6, units),
    ).double()  # fmt: skip


def mean_head(weight: torch.Tensor, bias: float = 0.0) -> nn.Sequential:
    """Global average pooling and a linear layer: where Grad-CAM was derived from."""
    linear = nn.Linear(weight.shape[1], len(weight))
    linear.weight.data, linear.bias.data = weight.clone(), torch.full((len(weight),), bias)
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)


def literal_gradient(head: nn.Module, image: torch.Tensor, target: int, step: float = 1e-5) -> torch.Tensor:
    """d logit / d activation of every unit by central differences, one unit at a time."""
    found = torch.zeros_like(image)
    for index in range(image.numel()):
        shift = torch.zeros(image.numel(), dtype=image.dtype)
        shift[index] = step
        shift = shift.view_as(image)
        with torch.no_grad():
            up, down = (head((image + sign * shift)[None])[0, target] for sign in (1, -1))
        found.view(-1)[index] = (up - down) / (2 * step)
    return found


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), targets=st.lists(st.integers(0, 3), min_size=2, max_size=2))
def test_both_agree_with_loops_over_central_differences(seed, targets):
    head = convolutional_head().eval()
    maps = torch.rand(2, 3, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.01
    cams = grad_cam(head, maps, torch.tensor(targets))
    shares = channel_contributions(head, maps, torch.tensor(targets))
    for i, target in enumerate(targets):
        gradient = literal_gradient(head, maps[i], target)
        cam = torch.zeros(3, 4, dtype=torch.float64)
        for c in range(3):
            weight = sum(float(gradient[c, y, x]) for y in range(3) for x in range(4)) / 12
            cam += weight * maps[i, c]
            share = sum(float(gradient[c, y, x] * maps[i, c, y, x]) for y in range(3) for x in range(4))
            assert float(shares[i, c]) == pytest.approx(share, rel=1e-5, abs=1e-8)
        torch.testing.assert_close(cams[i], cam.clamp(min=0), rtol=1e-5, atol=1e-8)


def test_a_linear_head_is_explained_exactly():
    weight = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -3.0]])
    maps = torch.rand(4, 3, 5, 6)
    logits = mean_head(weight, bias=0.7)(maps).detach()
    cams, shares = grad_cam(mean_head(weight, bias=0.7), maps, 1), channel_contributions(mean_head(weight), maps, 1)
    torch.testing.assert_close(cams, torch.einsum("c,nchw->nhw", weight[1] / 30, maps).relu())
    torch.testing.assert_close(shares, weight[1] * maps.mean((2, 3)))
    torch.testing.assert_close(shares.sum(1) + 0.7, logits[:, 1])


def test_a_planted_channel_shows_where_it_is_active_and_owns_the_score():
    maps = torch.rand(3, 4, 7, 7) * 0.1
    maps[:, 2] = 0
    maps[:, 2, 5, 1] = 1
    head = mean_head(torch.tensor([[0.0, 0.0, 49.0, 0.0]]))
    cams, shares = grad_cam(head, maps, 0), channel_contributions(head, maps, 0)
    assert cams.flatten(1).argmax(1).tolist() == [5 * 7 + 1] * 3
    torch.testing.assert_close(shares, torch.tensor([[0.0, 0.0, 1.0, 0.0]]).repeat(3, 1))


def test_a_channel_that_speaks_against_the_logit_is_cut_from_the_cam_and_counts_negative():
    head, maps = mean_head(torch.tensor([[-4.0]])), torch.rand(2, 1, 3, 3) + 0.1
    assert not grad_cam(head, maps, 0).any()
    assert (channel_contributions(head, maps, 0) < 0).all()


def test_an_image_in_a_batch_is_explained_as_it_is_alone_even_by_a_head_in_training_mode():
    head = convolutional_head().train()
    maps = torch.rand(5, 3, 4, 4, dtype=torch.float64)
    targets = torch.tensor([0, 3, 1, 1, 2])
    for read in (grad_cam, channel_contributions):
        together = read(head, maps, targets)
        alone = torch.cat([read(head, maps[i : i + 1], int(targets[i])) for i in range(5)])
        torch.testing.assert_close(together, alone)


def test_a_head_of_one_logit_needs_no_target():
    class Total(nn.Module):
        def forward(self, x):
            return (x**2).sum((1, 2, 3))

    maps = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(channel_contributions(Total(), maps, 0), 2 * (maps**2).sum((2, 3)))


@pytest.mark.parametrize("frozen", [True, False])
def test_the_head_and_the_maps_are_left_as_they_were(frozen):
    head = convolutional_head().train().requires_grad_(not frozen)
    head[2].eval()  # a mixture of modes
    modes = [module.training for module in head.modules()]
    state = {name: value.clone() for name, value in head.state_dict().items()}
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    before = maps.clone()
    with torch.no_grad():
        found = grad_cam(head, maps, 1), channel_contributions(head, maps, 1)
    assert not any(result.requires_grad for result in found)
    assert all(parameter.grad is None for parameter in head.parameters())
    assert all(parameter.requires_grad is not frozen for parameter in head.parameters())
    assert modes == [module.training for module in head.modules()]
    assert all(torch.equal(value, state[name]) for name, value in head.state_dict().items())
    assert torch.equal(maps, before)
    assert not maps.requires_grad


def test_gradients_that_parameters_already_hold_stay():
    head = convolutional_head()
    head(torch.rand(2, 3, 4, 4, dtype=torch.float64)).sum().backward()
    before = [parameter.grad.clone() for parameter in head.parameters()]
    grad_cam(head, torch.rand(2, 3, 4, 4, dtype=torch.float64), 0)
    assert all(torch.equal(p.grad, old) for p, old in zip(head.parameters(), before, strict=True))


def test_what_does_not_fit_is_quoted():
    head = mean_head(torch.ones(2, 3))
    with pytest.raises(ValueError, match="no logit 2; the head gives logits 0 to 1"):
        grad_cam(head, torch.rand(1, 3, 4, 4), 2)
    with pytest.raises(ValueError, match=r"the maps are \(3, 16\), expected \(n, c, h, w\)"):
        channel_contributions(head, torch.rand(3, 16), 0)
    with pytest.raises(ValueError, match=r"the head gives \(1, 3, 4, 4\), expected logits"):
        grad_cam(nn.ReLU(), torch.rand(1, 3, 4, 4), 0)
