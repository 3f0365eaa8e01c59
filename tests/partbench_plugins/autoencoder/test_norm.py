from __future__ import annotations

import pytest
import torch

from partbench_plugins.autoencoder.norm import MagnitudeNorm


def maps(seed: int, images: int = 4, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.rand(images, 3, 5, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_a_channel_is_divided_by_its_mean_magnitude(reduce):
    x = maps(0) * torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    out = MagnitudeNorm(3, reduce)(x, x)
    for k in range(3):
        sums = [sum(max(float(v), 0.0) for v in image[k].flatten()) for image in x]
        alpha = sum(sums) / len(sums) / (25 if reduce == "mean" else 1)
        torch.testing.assert_close(out[:, k], x[:, k] / alpha)
        share = out[:, k].sum((1, 2)).mean() / (25 if reduce == "mean" else 1)
        torch.testing.assert_close(share, torch.tensor(1.0))


def test_negative_values_do_not_count():
    norm = MagnitudeNorm(3)
    norm(maps(0), torch.tensor([[[[2.0, -7.0]]]]).expand(1, 3, 1, 2))
    torch.testing.assert_close(norm.alpha, torch.full((3,), 2.0))


def test_alpha_is_a_running_average_that_the_first_batch_sets():
    norm = MagnitudeNorm(3, momentum=0.1)
    first, second = maps(1), maps(2)
    norm(first, first)
    norm(second, second)
    expected = 0.9 * first.sum((2, 3)).mean(0) + 0.1 * second.sum((2, 3)).mean(0)
    torch.testing.assert_close(norm.alpha, expected)


def test_only_counted_maps_are_measured_and_only_in_training():
    norm, x = MagnitudeNorm(3), maps(3)
    norm(x, x[:0])
    assert norm.alpha.isnan().all()
    norm(x, x[:1])
    torch.testing.assert_close(norm.alpha, x[0].sum((1, 2)))
    before = norm.alpha.clone()
    norm.eval()(x, 10 * x)
    assert torch.equal(norm.alpha, before)


def test_nothing_is_gained_by_scaling_a_filter():
    norm, x = MagnitudeNorm(3), maps(4).requires_grad_()
    weight = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(5))
    (norm(x, x) * weight).sum().backward()
    along_scale = (x.grad * x).sum((0, 2, 3))  # derivative by the gain of each channel
    torch.testing.assert_close(along_scale, torch.zeros(3), atol=1e-6, rtol=0)


def test_a_dead_channel_is_not_blown_up():
    x = maps(6)
    x[:, 1] *= 1e-6
    norm = MagnitudeNorm(3, least=0.01).eval()
    norm.alpha.copy_(x.sum((2, 3)).mean(0))
    torch.testing.assert_close(norm(x)[:, 1], x[:, 1] / (0.01 * norm.alpha.mean()))
    assert MagnitudeNorm(2)(torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)).isfinite().all()


def test_scale_multiplies_all_channels():
    x = maps(7)
    torch.testing.assert_close(MagnitudeNorm(3, scale=8.0)(x, x), 8 * MagnitudeNorm(3)(x, x))
