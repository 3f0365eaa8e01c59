"""The network of small_vgg with fewer units in fc6 and fc7, and performers made of it; weights ship with partbench.

In a single task such a performer is a binary network: fc7 and fc8 of its own on the layers below, which are shared and
frozen.
"""

from __future__ import annotations

from importlib.resources.abc import Traversable

from torch import nn

from partbench.performers import small_vgg
from partbench.performers.shipped_vgg import ShippedVgg, weights_named

WIDTHS = 128, 64  # of fc6 and fc7


def network(outputs: int) -> nn.Sequential:
    """The stages of small_vgg with smaller fc6 and fc7, with random weights; images are 64 x 64 px."""
    stages, (fc6, fc7) = small_vgg.network(outputs), WIDTHS
    stages.fc6 = nn.Sequential(nn.Flatten(), nn.Linear(48 * 8 * 8, fc6), nn.ReLU())
    stages.fc7 = nn.Sequential(nn.Linear(fc6, fc7), nn.ReLU())
    stages.fc8 = nn.Linear(fc7, outputs)
    return stages


class NarrowVgg(ShippedVgg):
    """A trained `network` for one dataset, with binary heads for its single tasks."""

    @classmethod
    def network(cls, outputs: int) -> nn.Sequential:
        """See `network`."""
        return network(outputs)

    @classmethod
    def weights_file(cls) -> Traversable:
        """The weights in the installed package: half-precision safetensors, one entry a parameter of `network`.

        Those of the binary heads are named "heads/kitchen/" or "heads/kitchen:others/" and the parameter.
        """
        return weights_named(cls.name)
