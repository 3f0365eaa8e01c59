from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from partbench.running.training.recipe import Recipe
from partbench.running.training.request import TrainingRequest


def recipe(outputs: int = 6, single: bool = False, **options) -> Recipe:
    usual = {"task": "d/multi", "network": "alexnet", "name": "n", "out": "/n", "schedule": "published"}
    return Recipe.of(TrainingRequest(**{**usual, **options}), outputs, single)


def test_published_rates_fall_tenfold_on_a_logarithmic_scale() -> None:
    multi = recipe()
    assert (multi.epochs, multi.batch_size) == (80, 512)
    rates = [multi.rate(epoch, 0, 9) for epoch in range(80)]
    assert rates[0] == pytest.approx(1e-4 * 30 * 6 / 5)
    assert rates[-1] == pytest.approx(rates[0] / 10)
    assert all(b / a == pytest.approx(rates[1] / rates[0]) for a, b in pairwise(rates))
    assert recipe(outputs=20).lr == pytest.approx(1e-4 * 30 * 20 / 50)


def test_of_a_single_category_rates_fall_for_ten_epochs_of_fifty() -> None:
    single = recipe(outputs=1, single=True, network="vgg_16,weights=random")
    assert (single.epochs, single.batch_size, single.lr) == (50, 32, 1e-4)
    assert single.rate(9, 0, 5) == single.rate(49, 4, 5) == pytest.approx(1e-5)


def test_a_cosine_rises_to_the_rate_and_falls_to_almost_nothing() -> None:
    found = recipe(schedule="cosine", epochs=10, lr=0.5)
    rates = [found.rate(epoch, step, 10) for epoch in range(10) for step in range(10)]
    assert max(rates) == rates[4] == 0.5
    assert rates == sorted(rates[:5]) + sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 1e-3
    assert {recipe(schedule="constant", lr=0.5).rate(epoch, 3, 10) for epoch in range(10)} == {0.5}


def test_random_weights_get_a_larger_rate_than_published_ones() -> None:
    rates = {text: recipe(schedule="cosine", **options).lr for text, options in {
        "published": {}, "random": {"weights": "random"}, "in the name": {"network": "alexnet,weights=random"},
    }.items()}  # fmt: skip
    assert rates == {"published": 2e-4, "random": 1e-3, "in the name": 1e-3}


def test_biases_and_norms_do_not_decay_and_published_is_sgd() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    found = recipe().optimiser(layers.parameters())
    assert isinstance(found, torch.optim.SGD)
    assert [(len(g["params"]), g["weight_decay"], g["momentum"]) for g in found.param_groups] == [
        (1, 5e-4, 0.9), (3, 0.0, 0.9),
    ]  # fmt: skip


def test_the_published_softmax_loss_is_multiplied_by_the_number_of_outputs() -> None:
    logits, labels = torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 4])
    assert recipe().loss(logits, labels) == pytest.approx(6 * float(recipe(schedule="cosine").loss(logits, labels)))
    lone = recipe(outputs=1, single=True).loss(torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 0]))
    assert lone == pytest.approx(float(torch.log1p(torch.exp(torch.tensor([-2.0, -1.0]))).mean()))
