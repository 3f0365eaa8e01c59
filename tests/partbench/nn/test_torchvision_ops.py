from __future__ import annotations

import sys

import torch

from partbench.nn.torchvision_ops import torchvision


def test_torchvision_imports_with_or_without_its_compiled_operators():
    module = torchvision()
    assert module is sys.modules["torchvision"]
    assert module.models.resnet18(weights=None)(torch.rand(2, 3, 32, 32)).shape == (2, 1000)
    assert hasattr(torch.ops.torchvision, "nms")


def test_a_second_call_gives_the_same_module_and_declares_nothing_twice():
    first = torchvision()
    assert torchvision() is first
