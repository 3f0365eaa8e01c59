"""VGG-like networks whose weights ship with partbench, and performers made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, ClassVar

import torch
from safetensors.torch import load
from torch import Tensor, nn

from partbench import InputError, Performer, PerformerPlugin
from partbench.performers.cached_head import untrained

if TYPE_CHECKING:
    from partbench import Dataset

ROLES = {"target": "conv4", "top_conv": "conv5", "fc1": "fc6", "fc2": "fc7", "logits": "fc8"}
OWN = ("fc7", "fc8")  # layers that each binary network has of its own


def weights_named(name: str) -> Traversable:
    """A file of half-precision weights (safetensors) in the installed package."""
    return resources.files("partbench.performers") / "weights" / f"{name}.safetensors"


def trained(
    weights: Mapping[str, Tensor], outputs: int, network: Callable[[int], nn.Sequential]
) -> dict[str, nn.Module]:
    """The stages of a network with these weights; torch's random generator is left as it was."""
    stages = untrained(partial(network, outputs))
    stages.load_state_dict(weights)
    return dict(stages.named_children())


def state_of(weights: Mapping[str, Tensor], head: str = "") -> dict[str, Tensor]:
    """The parameters of a network among the weights of its files; with those of a binary head, if one is named.

    Parameters of the head "bird" are named "bird/" or "heads/bird/" and as in the network.
    """
    shared = {name: value for name, value in weights.items() if "/" not in name}
    if not head:
        return shared
    of_heads = {name.removeprefix("heads/"): value for name, value in weights.items() if "/" in name}
    own = {name.rpartition("/")[2]: value for name, value in of_heads.items() if name.startswith(f"{head}/")}
    return {name: value for name, value in shared.items() if not name.startswith(OWN)} | own


class ShippedVgg(PerformerPlugin):
    """A trained network for one dataset; in a single task a binary one, with OWN layers on those below, frozen."""

    input_size: ClassVar[int] = 64
    trained_on: ClassVar[str]  # the dataset
    classes: ClassVar[tuple[str, ...]]  # what the logits stand for, in order

    @classmethod
    def network(cls, outputs: int) -> nn.Sequential:
        """The stages with random weights; images are 64 x 64 px."""
        raise NotImplementedError

    @classmethod
    def files(cls, head: str) -> tuple[Traversable, ...]:
        """The files that hold the weights of the network, and of a binary head if one is named; see `state_of`."""
        return (weights_named(cls.name),)

    @classmethod
    def open(cls, dataset: Dataset, device: torch.device) -> Performer:
        """The trained network. Raises InputError for any other dataset than that which it is trained on.

        In a single task its one output is the log-odds of the category, above 0 for yes.
        """
        if dataset.name != cls.trained_on:
            instead = f"{dataset.name}/multi:<category>@lite0_head"
            raise InputError(f"{cls.name} is trained on {cls.trained_on} only; use --task {instead}")
        head, outputs = (_head_name(dataset), dataset.categories) if dataset.negatives else ("", cls.classes)
        files = [file.read_bytes() for file in cls.files(head)]
        weights = {name: value for file in files for name, value in load(file).items()}
        return Performer(
            name=cls.name,
            version=cls.version,
            input_size=cls.input_size,
            stages=trained(state_of(weights, head), len(outputs), cls.network),
            roles=ROLES,
            outputs=outputs,
            targets={name: i for i, name in enumerate(outputs)},
            fingerprint=hashlib.sha256(b"".join(files) + head.encode()).hexdigest(),
            device=device,
        )


def _head_name(dataset: Dataset) -> str:
    """Which head: "bird" against random images, "bird:others" against the other categories too."""
    return dataset.categories[0] + (":others" if dataset.negatives == "others" else "")
