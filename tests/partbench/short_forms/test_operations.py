from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from partbench.short_forms.operations import never_negative


class Ends(nn.Module):
    def __init__(self, *layers: nn.Module, plus: float = 0.0) -> None:
        super().__init__()
        self.layers, self.plus = nn.Sequential(*layers), plus

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.layers(images)
        return found + self.plus if self.plus else found


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Ends(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten()), True),
        (Ends(nn.Conv2d(3, 4, 3), nn.ReLU(), plus=1.0), True),
        (Ends(nn.Conv2d(3, 4, 3), nn.ReLU(), plus=-1.0), False),
        (Ends(nn.Conv2d(3, 4, 3), nn.Hardswish()), False),
        (Ends(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)), False),
    ],
)
def test_a_value_is_never_negative_by_the_kind_of_its_layers(network: Ends, expected: bool) -> None:
    graph = fx.symbolic_trace(network).graph
    [output] = [node for node in graph.nodes if node.op == "output"]
    assert never_negative(output.args[0], network) is expected
