"""What a performer gives of its layers."""

from __future__ import annotations

import torch
from torch import nn

from partbench.performer import Performer


def test_two_roles_may_be_one_layer() -> None:
    stages = {"conv": nn.Conv2d(3, 2, 3), "logits": nn.Sequential(nn.Flatten(), nn.Linear(8, 2))}
    roles = {"target": "conv", "top_conv": "conv", "logits": "logits"}
    performer = Performer("two", "1", 4, stages, roles, ("a", "b"), {"a": 0, "b": 1})
    images = torch.rand(5, 3, 4, 4)
    found = performer.activations(images, ["target", "top_conv", "logits", "conv"])
    expected = stages["conv"](images)
    assert set(found) == {"target", "top_conv", "logits", "conv"}
    for layer in ("target", "top_conv", "conv"):
        torch.testing.assert_close(found[layer], expected)
    torch.testing.assert_close(found["logits"], stages["logits"](expected))
