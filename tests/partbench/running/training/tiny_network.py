"""A network of two convolutions, with a norm and dropout, that trains in a moment."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from partbench import Normalise
from partbench.performers.network_plugin import Built, NetworkPlugin


class Tiny(NetworkPlugin):
    """Two convolutions and a linear layer on pooled features."""

    name: ClassVar[str] = "tiny"
    input_size: ClassVar[int] = 32

    @classmethod
    def unloaded(cls) -> Built:
        first = nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2), nn.BatchNorm2d(8), nn.ReLU())
        second = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU())
        pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(12, 1000)]
        return Built(nn.Sequential(first, second, *pooled), Normalise((0.5,) * 3, (0.25,) * 3))
