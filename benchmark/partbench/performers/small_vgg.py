"""SmallVgg: a VGG-like network for fauna at 64 px, whose weights ship with partbench.

`scripts/train_small_vgg.py` made the weights; `weights/small_vgg.md` says how well they do. In a single task it is a
binary network: fc7 and fc8 of its own, made by `scripts/train_small_vgg_single.py`, on the layers below, which are
shared and frozen.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, ClassVar

import torch
from safetensors.torch import load
from torch import Tensor, nn

from partbench import InputError, Performer, PerformerPlugin, hookimpl
from partbench.performers.normalise import Normalise

if TYPE_CHECKING:
    from partbench import Dataset

OUTPUTS: tuple[str, ...] = ("bird", "cat", "cow", "dog", "horse", "sheep")
ROLES = {"target": "conv4", "top_conv": "conv5", "fc1": "fc6", "fc2": "fc7", "logits": "fc8"}
OWN = ("fc7", "fc8")  # layers that each binary network has of its own


def weights_file() -> Traversable:
    """The weights in the installed package: half-precision safetensors, one entry a parameter of `network`."""
    return resources.files("partbench.performers") / "weights" / "small_vgg.safetensors"


def heads_file() -> Traversable:
    """The binary heads: half-precision safetensors, an entry a parameter, named "bird/" or "bird:others/" and it."""
    return resources.files("partbench.performers") / "weights" / "small_vgg_single.safetensors"


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


def trained(
    weights: dict[str, Tensor], outputs: int, network: Callable[[int], nn.Sequential] = network
) -> nn.Sequential:
    """The network with these weights; torch's random generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        stages = network(outputs)
    stages.load_state_dict(weights)
    return stages


class SmallVgg(PerformerPlugin):
    """The default performer of fauna: 0.9 million weights, 64 px, a map of 16 x 16 cells that see 36 px each."""

    name: ClassVar[str] = "small_vgg"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 64

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """The trained network. Raises InputError for any other dataset than fauna.

        In a single task its one output is the log-odds of the category, above 0 for yes.
        """
        if dataset.name != "fauna":
            instead = f"{dataset.name}/multi:<category>@lite0_head"
            raise InputError(f"small_vgg is trained on fauna only; use --task {instead}")
        weights = weights_file().read_bytes()
        state, outputs = load(weights), OUTPUTS
        if dataset.negatives:
            outputs = dataset.categories
            weights += heads_file().read_bytes()
            state = {name: value for name, value in state.items() if not name.startswith(OWN)} | head(dataset)
        return Performer(
            name=SmallVgg.name,
            version=SmallVgg.version,
            input_size=SmallVgg.input_size,
            stages=dict(trained(state, len(outputs)).named_children()),
            roles=ROLES,
            outputs=outputs,
            targets={name: i for i, name in enumerate(outputs)},
            fingerprint=hashlib.sha256(
                weights + (head_name(dataset) if dataset.negatives else "").encode()
            ).hexdigest(),
            device=device,
        )


def head(dataset: Dataset) -> dict[str, Tensor]:
    """The parameters of the binary head for a dataset as a single task sees it."""
    start = f"{head_name(dataset)}/"
    return {
        name.removeprefix(start): v for name, v in load(heads_file().read_bytes()).items() if name.startswith(start)
    }


def head_name(dataset: Dataset) -> str:
    """Which head: "bird" against random images, "bird:others" against the other categories too."""
    return dataset.categories[0] + (":others" if dataset.negatives == "others" else "")


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performer."""
    register(SmallVgg)
