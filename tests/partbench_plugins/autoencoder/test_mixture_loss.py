from __future__ import annotations

import pytest
import torch

from partbench import PartSettings
from partbench.nn.mutual_information import mutual_information
from partbench.nn.templates import templates
from partbench_plugins.autoencoder.mixture_loss import MixedParts

N, FILTERS, IMAGES, RHO = 4, 2, 6, 1 / 300


def layer(**options) -> MixedParts:
    settings = PartSettings(rho=RHO, schedule="1/t", **({"mask": False} | options))
    return MixedParts(settings.layer(FILTERS, N)).double()


def scene(share: float = 0.7):
    generator = torch.Generator().manual_seed(0)
    maps, ordinary, above = 3 * torch.rand(3, IMAGES, FILTERS, N, N, generator=generator, dtype=torch.double)
    labels = torch.tensor([0, 0, 0, -1, -1, 0])
    p = torch.tensor(share, dtype=torch.double)
    return maps.requires_grad_(), ordinary.requires_grad_(), p.requires_grad_(), above, labels


def filter_losses(maps, ordinary, share):
    """-MI of each filter, written out."""
    return -mutual_information(share * maps + (1 - share) * ordinary, templates(N, tau=8 / N**2).double())


def pulled(epoch: int = 1, **options):
    """Gradients that the layer adds to those of the task, and its inputs."""
    maps, ordinary, share, above, labels = scene()
    parts = layer(**options)
    parts.parts.start(epoch)
    (parts(maps, ordinary, share, labels) * above).sum().backward()
    return maps.grad - above, share.grad, ordinary.grad, (maps, ordinary, share, above)


def literal_weights(maps, ordinary, share, above, epoch: int = 1):
    """lambda_f = ||dL/dx_f|| / ||dLoss_f/dx_f|| / (300 N)."""
    loss = filter_losses(maps, ordinary.detach(), share.detach()).sum()
    (gradient,) = torch.autograd.grad(loss, maps)
    return torch.stack([above[:, f].norm() / gradient[:, f].norm() * RHO / epoch for f in range(FILTERS)])


@pytest.mark.parametrize("epoch", [1, 3])
def test_maps_and_share_get_the_gradient_of_the_weighted_filter_losses(epoch):
    added, to_share, _, (maps, ordinary, share, above) = pulled(epoch)
    weights = literal_weights(maps, ordinary, share, above, epoch)
    loss = (weights * filter_losses(maps, ordinary.detach(), share)).sum()
    by_maps, by_share = torch.autograd.grad(loss, (maps, share))
    torch.testing.assert_close(added, by_maps)
    torch.testing.assert_close(to_share, by_share)


def test_the_gradient_of_the_share_is_that_of_finite_differences():
    _, to_share, _, (maps, ordinary, share, above) = pulled()
    weights = literal_weights(maps, ordinary, share, above)
    with torch.no_grad():
        up, down = ((weights * filter_losses(maps, ordinary, share + d)).sum() for d in (1e-6, -1e-6))
    assert float(to_share) == pytest.approx(float(up - down) / 2e-6, rel=1e-5)


def test_the_ordinary_track_gets_no_gradient_of_the_filter_loss():
    assert pulled()[2] is None


@pytest.mark.parametrize("gradient", ["exact", "paper", "released"])
def test_every_filter_is_pulled_by_a_300th_of_the_gradient_of_the_task(gradient):
    added, _, _, (*_, above) = pulled(2, gradient=gradient)
    ratio = torch.stack([added[:, f].norm() / above[:, f].norm() for f in range(FILTERS)])
    torch.testing.assert_close(ratio, torch.full_like(ratio, 1 / 600))


def test_nothing_is_added_without_loss_before_warm_up_ends_or_in_evaluation():
    for change in ({"loss": False}, {"epoch": 0}):
        added, to_share, *_ = pulled(**change)
        assert not added.any()
        assert to_share is None
    maps, ordinary, share, above, labels = scene()
    (layer().eval()(maps, ordinary, share, labels) * above).sum().backward()
    assert torch.equal(maps.grad, above)


def test_the_mask_is_that_of_the_filter_not_of_the_mixture():
    maps, ordinary, share, _, labels = scene()
    parts = layer(mask=True, loss=False)
    masked = parts(maps, ordinary, share, labels)
    torch.testing.assert_close(masked, parts.parts.mask(maps))
    assert torch.equal(masked.flatten(2).argmax(2), maps.flatten(2).argmax(2))
