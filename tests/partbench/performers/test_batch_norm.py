from __future__ import annotations

import torch
from torch import nn

from partbench.performers.batch_norm import fold, unfold


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(4 * 6 * 6, 5), nn.ReLU()),
        nn.Linear(5, 2),
    )


def test_a_network_trained_with_batch_norm_computes_the_same_without_it() -> None:
    torch.manual_seed(0)
    model, images = network(), torch.randn(20, 3, 8, 8)
    unfold(model, dropout=0.5)
    for _ in range(5):
        model.train()(images * 3 + 1)  # moves the running statistics away from 0 and 1
    expected = model.eval()(images)
    fold(model)
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in model.modules())
    assert torch.allclose(model(images), expected, atol=1e-5)


def test_unfolding_and_folding_keeps_the_names_of_the_weights() -> None:
    model = network()
    unfold(model, dropout=0.5)
    fold(model.eval())
    assert list(model.state_dict()) == list(network().state_dict())


def test_what_is_frozen_gets_no_batch_norm() -> None:
    model = network()
    model[0].requires_grad_(False)
    unfold(model, dropout=0.5)
    assert [type(layer).__name__ for layer in model[0]] == ["Conv2d", "ReLU"]
    assert [type(layer).__name__ for layer in model[1]] == ["Flatten", "Linear", "BatchNorm1d", "ReLU", "Dropout"]
