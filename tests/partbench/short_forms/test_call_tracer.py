from __future__ import annotations

import pytest
import torch
from torch import nn

from partbench import InputError
from partbench.short_forms.call_tracer import CallTracer


class Halves(nn.Module):
    def forward(self, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return value / 2, value / 2


class Joined(nn.Module):
    """A submodule called `network`, one that returns a pair, and one that is not called."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.halves, self.idle = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), Halves(), nn.Identity()

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        first, second = self.halves(self.network(value))
        return first + second


def test_submodules_are_named_from_the_network_on() -> None:
    whole, within = CallTracer(), CallTracer("network")
    ends = [node.target for node in whole.graph_of(Joined()).nodes if node.op == "call_module"]
    assert whole.end_of("network.1").target == ends[-1] == "network.1"
    within.graph_of(Joined())
    assert within.end_of("1").target == "network.1"


@pytest.mark.parametrize(("layer", "said"), [("idle", "is not called"), ("halves", "does not return one tensor")])
def test_a_layer_that_gives_no_tensor_ends_nothing(layer: str, said: str) -> None:
    tracer = CallTracer()
    tracer.graph_of(Joined())
    with pytest.raises(InputError, match=f"layer '{layer}' {said}"):
        tracer.end_of(layer)
