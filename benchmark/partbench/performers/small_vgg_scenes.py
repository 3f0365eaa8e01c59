"""SmallVggScenes: a VGG-like network that tells the rooms of fauna_scenes apart; its weights ship with partbench.

`scripts/train_small_vgg_scenes.py` made the weights; `weights/small_vgg_scenes.md` says how well they do. In a single
task it is a binary network: fc7 and fc8 of its own on the layers below, which are shared and frozen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, ClassVar

import torch
from safetensors.torch import load

from partbench import InputError, Performer, PerformerPlugin, hookimpl
from partbench.datasets.fauna_scenes.vocabulary import ROOMS
from partbench.performers.small_vgg import ROLES, head_name
from partbench.performers.small_vgg_species import state_of, trained

if TYPE_CHECKING:
    from partbench import Dataset


def weights_file() -> Traversable:
    """The weights in the installed package: half-precision safetensors, one entry a parameter of the network.

    The network is that of `small_vgg_species`. Parameters of the binary heads are named "heads/kitchen/" or
    "heads/kitchen:others/" and the parameter.
    """
    return resources.files("partbench.performers") / "weights" / "small_vgg_scenes.safetensors"


class SmallVggScenes(PerformerPlugin):
    """The default performer of fauna_scenes: 0.5 million weights, 64 px, a map of 16 x 16 cells, each sees 36 px."""

    name: ClassVar[str] = "small_vgg_scenes"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 64

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """The trained network. Raises InputError for any other dataset than fauna_scenes.

        In a single task its one output is the log-odds of the room, above 0 for yes.
        """
        if dataset.name != "fauna_scenes":
            instead = f"{dataset.name}/multi:<category>@lite0_head"
            raise InputError(f"small_vgg_scenes is trained on fauna_scenes only; use --task {instead}")
        weights = weights_file().read_bytes()
        head, outputs = (head_name(dataset), dataset.categories) if dataset.negatives else ("", tuple(ROOMS))
        return Performer(
            name=SmallVggScenes.name,
            version=SmallVggScenes.version,
            input_size=SmallVggScenes.input_size,
            stages=dict(trained(state_of(load(weights), head), len(outputs)).named_children()),
            roles=ROLES,
            outputs=outputs,
            targets={name: i for i, name in enumerate(outputs)},
            fingerprint=hashlib.sha256(weights + head.encode()).hexdigest(),
            device=device,
        )


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performer."""
    register(SmallVggScenes)
