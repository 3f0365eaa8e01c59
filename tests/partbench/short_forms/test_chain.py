from __future__ import annotations

import pytest
import torch
from torch import nn

from partbench import InputError
from partbench.nn.torchvision_ops import torchvision
from partbench.short_forms.chain import chain_of
from partbench.short_forms.chain_stage import ChainStage

IMAGE = torch.zeros(3, 32, 32)


def run(stages: list[ChainStage], images: torch.Tensor) -> torch.Tensor:
    value = images
    for stage in stages:
        value = stage.module(value)
        assert tuple(value.shape[1:]) == stage.shape, stage.name
        assert not stage.non_negative or value.min() >= 0, stage.name
    return value


def same_to_the_bit(network: nn.Module, size: int = 32) -> list[ChainStage]:
    network.eval()
    stages, images = chain_of(network, torch.zeros(3, size, size)), torch.rand(2, 3, size, size)
    with torch.no_grad():
        assert torch.equal(run(stages, images.clone()), network(images))
    return stages


def test_a_residual_network_is_cut_behind_its_blocks() -> None:
    torch.manual_seed(0)
    stages = same_to_the_bit(torchvision().models.resnet18())
    blocks = [f"layer{layer}.{block}" for layer in range(1, 5) for block in range(2)]
    assert [stage.name for stage in stages] == ["relu", "maxpool", *blocks, "flatten", "fc"]
    assert all(stage.non_negative for stage in stages[:-1])
    assert not stages[-1].non_negative
    assert isinstance(stages[-1].module, nn.Linear)


def test_a_network_with_gates_and_one_with_tokens_compute_the_same_as_chains() -> None:
    torch.manual_seed(0)
    models = torchvision().models
    mobile = same_to_the_bit(models.mobilenet_v3_small())
    assert {stage.name: stage.shape for stage in mobile}["features.12"] == (576, 1, 1)
    vit = models.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=7)
    stages = same_to_the_bit(vit)
    assert [(stage.shape, stage.prefix) for stage in stages[-3:]] == [((17, 16), 1), ((16,), 0), ((7,), 0)]


class Noisy(nn.Module):
    """An activation in place between a pad and a convolution, a default argument, two calls of one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.twice, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4 * 26 * 26, 5)

    def forward(self, images: torch.Tensor, scale: float | None = None) -> torch.Tensor:
        value = self.first(images)
        kept = value * 2
        value.relu_()
        value = self.twice(self.twice(value + kept.relu()))
        value = nn.functional.pad(value, (1, 1, 1, 1))
        value = value[..., 1:-1, 1:-1]
        return self.last(value.flatten(1) if scale is None else value)


def test_layers_called_twice_have_names_of_their_own_and_nothing_is_changed_in_place() -> None:
    torch.manual_seed(0)
    network = Noisy().eval()
    stages = chain_of(network, IMAGE)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(run(stages, images), network(images))
    names = [stage.name for stage in stages]
    assert len(set(names)) == len(names)
    assert {"twice", "twice#2"} <= set(names)
    value = images
    for stage in stages:
        before = value.clone()
        with torch.no_grad():
            after = stage.module(value)
        assert torch.equal(value, before), stage.name
        value = after


def test_a_named_layer_ends_a_stage_and_one_that_values_are_carried_past_is_refused() -> None:
    network = torchvision().models.resnet18()
    assert "bn1" in [stage.name for stage in chain_of(network, IMAGE, ["bn1"])]
    with pytest.raises(InputError, match=r"carried past layer 'layer2.0.conv1'"):
        chain_of(network, IMAGE, ["layer2.0.conv1"])
    with pytest.raises(InputError, match="no layer of the network named 'layer9'"):
        chain_of(network, IMAGE, ["layer9"])


class Untraceable(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) if images.sum() > 0 else images.mean((2, 3))


class Pair(nn.Module):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images.mean((2, 3)), images


@pytest.mark.parametrize(
    ("network", "said"), [(Untraceable(), "cannot be traced"), (Pair(), "one tensor of logits"), (nn.ReLU(), "logits")]
)
def test_what_is_no_chain_is_refused_in_one_line(network: nn.Module, said: str) -> None:
    with pytest.raises(InputError, match=said):
        chain_of(network, IMAGE)
