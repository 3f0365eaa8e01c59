from __future__ import annotations

import pytest
import torch

from partbench.nn.filter_gradients import filter_gradient
from partbench.nn.filter_weights import ActivationWeight, EpochWeight, NormMatching
from partbench.nn.part_layer import PartSettings
from partbench.nn.templates import PartMask, templates

N = 6


def maps(images=4, filters=3, seed=0):
    return torch.rand(images, filters, N, N, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def test_warm_up_is_the_identity():
    layer, x = PartSettings().layer(3, N), maps()
    layer.start(0)
    assert layer(x, torch.zeros(4, dtype=torch.long)) is x


def test_forward_is_the_mask_alone():
    x = maps()
    masked = PartSettings().layer(3, N)(x, torch.zeros(4, dtype=torch.long))
    assert torch.equal(masked, PartMask(templates(N, tau=8 / N**2))(x))


def test_backward_adds_rho_times_the_tasks_gradient_in_length():
    x, rho = maps(), 0.7
    layer = PartSettings(rho=rho, mask=False).layer(3, N)
    task = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    layer(x, torch.zeros(4, dtype=torch.long)).backward(task)
    added = x.grad - task
    ratio = torch.linalg.vector_norm(added, dim=(0, 2, 3)) / torch.linalg.vector_norm(task, dim=(0, 2, 3))
    torch.testing.assert_close(ratio, torch.full((3,), rho))
    expected = filter_gradient("exact", templates(N, tau=8 / N**2), 3)(x.detach(), None)
    cosine = torch.nn.functional.cosine_similarity(added.flatten(), expected.flatten(), dim=0)
    assert cosine > 0.5


@pytest.mark.parametrize("labels", [None, torch.zeros(4, dtype=torch.long)])
def test_without_loss_or_labels_backward_is_that_of_the_mask(labels):
    x = maps()
    layer = PartSettings(loss=labels is None).layer(3, N)
    layer(x, labels).sum().backward()
    mask = PartMask(templates(N, tau=8 / N**2))(x.detach()) / x.detach()
    torch.testing.assert_close(x.grad, mask)


def test_negative_images_reach_the_released_gradient_as_negatives():
    x, labels = maps(), torch.tensor([0, 0, -1, -1])
    layer = PartSettings(gradient="released", weight="published", mask=False).layer(3, N)
    layer(x, labels).backward(torch.zeros_like(x))
    assert (x.grad[2:] > 0).all(), "activation is pushed down on every cell of other images"
    assert (x.grad[:2] < 0).any()


@pytest.mark.parametrize(
    ("settings", "weight"),
    [
        (PartSettings(), NormMatching),
        (PartSettings(weight="published"), ActivationWeight),
        (PartSettings(gradient="paper", weight="published"), ActivationWeight),
        (PartSettings(gradient="released", weight="published"), EpochWeight),
    ],
)
def test_weight_is_that_of_the_gradients_source(settings, weight):
    assert isinstance(settings.layer(3, N).regulariser.weight, weight)


def test_categories_are_measured_anew_each_epoch():
    layer = PartSettings().layer(2, N, categories=2)
    strong = torch.ones(2, 2, N, N)
    strong[0, 1], strong[1, 0] = 0, 0  # filter 0 on the image of category 0, filter 1 on that of category 1
    layer(strong.requires_grad_(), torch.tensor([0, 1]))
    assert layer.category.category().tolist() == [0, 1]
    layer.start(2)
    layer(strong.detach().flip(0).requires_grad_(), torch.tensor([0, 1]))
    assert layer.category.category().tolist() == [1, 0]
