"""The network of small_vgg with fewer units in fc6 and fc7, and performers made of it; weights ship with partbench.

In a single task such a performer is a binary network: fc7 and fc8 of its own on the layers below, which are shared and
frozen.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, ClassVar

import torch
from safetensors.torch import load
from torch import Tensor, nn

from partbench import InputError, Performer, PerformerPlugin
from partbench.performers import small_vgg
from partbench.performers.small_vgg import OWN, ROLES, head_name, trained

if TYPE_CHECKING:
    from partbench import Dataset

WIDTHS = 128, 64  # of fc6 and fc7


def network(outputs: int) -> nn.Sequential:
    """The stages of small_vgg with smaller fc6 and fc7, with random weights; images are 64 x 64 px."""
    stages, (fc6, fc7) = small_vgg.network(outputs), WIDTHS
    stages.fc6 = nn.Sequential(nn.Flatten(), nn.Linear(48 * 8 * 8, fc6), nn.ReLU())
    stages.fc7 = nn.Sequential(nn.Linear(fc6, fc7), nn.ReLU())
    stages.fc8 = nn.Linear(fc7, outputs)
    return stages


def state_of(weights: dict[str, Tensor], head: str = "") -> dict[str, Tensor]:
    """The parameters of `network` among the weights of the file; with those of a binary head, if one is named."""
    shared = {name: value for name, value in weights.items() if not name.startswith("heads/")}
    if not head:
        return shared
    start = f"heads/{head}/"
    own = {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}
    return {name: value for name, value in shared.items() if not name.startswith(OWN)} | own


class NarrowVgg(PerformerPlugin):
    """A trained `network` for one dataset, with binary heads for its single tasks."""

    input_size: ClassVar[int] = 64
    trained_on: ClassVar[str]  # the dataset
    classes: ClassVar[tuple[str, ...]]  # what the logits stand for, in order

    @classmethod
    def weights_file(cls) -> Traversable:
        """The weights in the installed package: half-precision safetensors, one entry a parameter of `network`.

        Those of the binary heads are named "heads/kitchen/" or "heads/kitchen:others/" and the parameter.
        """
        return resources.files("partbench.performers") / "weights" / f"{cls.name}.safetensors"

    @classmethod
    def open(cls, dataset: Dataset, device: torch.device) -> Performer:
        """The trained network. Raises InputError for any other dataset than that which it is trained on.

        In a single task its one output is the log-odds of the category, above 0 for yes.
        """
        if dataset.name != cls.trained_on:
            instead = f"{dataset.name}/multi:<category>@lite0_head"
            raise InputError(f"{cls.name} is trained on {cls.trained_on} only; use --task {instead}")
        weights = cls.weights_file().read_bytes()
        head, outputs = (head_name(dataset), dataset.categories) if dataset.negatives else ("", cls.classes)
        return Performer(
            name=cls.name,
            version=cls.version,
            input_size=cls.input_size,
            stages=dict(trained(state_of(load(weights), head), len(outputs), network).named_children()),
            roles=ROLES,
            outputs=outputs,
            targets={name: i for i, name in enumerate(outputs)},
            fingerprint=hashlib.sha256(weights + head.encode()).hexdigest(),
            device=device,
        )
