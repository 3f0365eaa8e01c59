"""SmallVgg: a VGG-like network for fauna at 64 px, whose weights ship with partbench.

`scripts/train_small_vgg.py` made the weights; `weights/small_vgg.md` says how well they do. In a single task it is a
binary network: fc7 and fc8 of its own, made by `scripts/train_small_vgg_single.py`, on the layers below, which are
shared and frozen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from importlib.resources.abc import Traversable
from typing import ClassVar

from torch import nn

from partbench import hookimpl
from partbench.performers.normalise import Normalise
from partbench.performers.shipped_vgg import ShippedVgg, weights_named

OUTPUTS: tuple[str, ...] = ("bird", "cat", "cow", "dog", "horse", "sheep")


def weights_file() -> Traversable:
    """The weights in the installed package: half-precision safetensors, one entry a parameter of `network`."""
    return weights_named("small_vgg")


def heads_file() -> Traversable:
    """The binary heads: half-precision safetensors, an entry a parameter, named "bird/" or "bird:others/" and it."""
    return weights_named("small_vgg_single")


def network(outputs: int = len(OUTPUTS)) -> nn.Sequential:
    """The stages of the network, with random weights; images are 64 x 64 px.

    Five convolutions, the last three on a map of 16 x 16 cells, 4 px apart, and three fully connected layers.
    """
    return nn.Sequential(
        OrderedDict(
            normalise=Normalise((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
            conv1=convolution(3, 16, kernel=5),
            pool1=nn.MaxPool2d(2),
            conv2=convolution(16, 48),
            pool2=nn.MaxPool2d(2),
            conv3=convolution(48, 64),
            conv4=convolution(64, 64),
            conv5=convolution(64, 48),
            pool5=nn.MaxPool2d(2),
            fc6=nn.Sequential(nn.Flatten(), nn.Linear(48 * 8 * 8, 256), nn.ReLU()),
            fc7=nn.Sequential(nn.Linear(256, 128), nn.ReLU()),
            fc8=nn.Linear(128, outputs),
        )
    )


def convolution(channels: int, filters: int, kernel: int = 3) -> nn.Sequential:
    """A convolution that keeps the size of the map, and its ReLU."""
    return nn.Sequential(nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.ReLU())


class SmallVgg(ShippedVgg):
    """The default performer of fauna: 0.9 million weights, 64 px, a map of 16 x 16 cells that see 36 px each."""

    name: ClassVar[str] = "small_vgg"
    version: ClassVar[str] = "1"
    trained_on: ClassVar[str] = "fauna"
    classes: ClassVar[tuple[str, ...]] = OUTPUTS

    @classmethod
    def network(cls, outputs: int) -> nn.Sequential:
        """See `network`."""
        return network(outputs)

    @classmethod
    def files(cls, head: str) -> tuple[Traversable, ...]:
        """The binary heads lie in a file of their own."""
        return (weights_file(), heads_file()) if head else (weights_file(),)


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performer."""
    register(SmallVgg)
