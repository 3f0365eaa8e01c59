"""Cutting networks into stages: the same values, and activations that nobody changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from partbench import InputError
from partbench.short_forms.stages import stages_of


class Residual(nn.Module):
    """A network with a shortcut, layers in place, one called twice, functions and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.relu = nn.ReLU(inplace=True)
        self.second, self.unused = nn.Conv2d(4, 4, 3, padding=1), nn.Identity()
        self.shift = nn.Parameter(torch.randn(4, 1, 1))
        self.last = nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        before = self.relu(self.first(images))
        after = self.second(before)
        after += before
        after = self.relu(after) + self.shift
        functional.relu_(after)
        pooled = after.mul_(2).mean((2, 3))
        return self.last(functional.dropout(pooled, 0.5, self.training))


@pytest.fixture
def network() -> Residual:
    torch.manual_seed(0)
    found = Residual()
    found.first[1].running_mean = torch.randn(4)
    return found


def values(stages: dict[str, nn.Module], images: Tensor) -> dict[str, Tensor]:
    found = {}
    for name, stage in stages.items():
        images = found[name] = stage(images)
    return found


@pytest.mark.parametrize("layers", [[], ["first"], ["relu"], ["last"], ["first.0", "first", "relu"], ["relu", "first"]])
def test_a_chain_of_stages_computes_what_the_network_computes(network: Residual, layers: list[str]) -> None:
    images, stages = torch.randn(3, 3, 5, 5), stages_of(network, layers)
    assert set(stages) == {*layers, *(["logits"] if "last" not in layers else [])}
    found = values(stages, images)
    torch.testing.assert_close(list(found.values())[-1], network.eval()(images))


def test_activations_are_those_of_the_layer_whatever_comes_after_it(network: Residual) -> None:
    images = torch.randn(3, 3, 5, 5)
    found = values(stages_of(network, ["first"]), images)
    torch.testing.assert_close(found["first"], network.eval().first(images))
    assert found["first"].min() < 0  # the ReLU after it works elsewhere


def test_the_network_itself_stays_as_it_was(network: Residual) -> None:
    stages_of(network, ["first"])
    assert network.training
    assert network.relu.inplace


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (["frist"], "did you mean 'first'"), (["unused"], "'unused' is not called"), ([""], "no layer"),
        (["second"], "carried past layer 'second' to 'logits'"),
    ],
)  # fmt: skip
def test_a_layer_that_cannot_end_a_stage_is_one_line(network: Residual, layers: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        stages_of(network, layers)


def test_a_network_that_cannot_be_traced_says_what_to_write_instead() -> None:
    class Branching(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images if images.sum() > 0 else -images

    with pytest.raises(InputError, match=r"cannot be traced: .*; write a PerformerPlugin"):
        stages_of(Branching(), [])
