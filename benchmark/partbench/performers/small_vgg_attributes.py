"""SmallVggAttributes: the network of small_vgg that tells attributes of fauna; its weights ship with partbench.

`scripts/train_small_vgg_attributes.py` made the weights; `weights/small_vgg_attributes.md` says how well they do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, ClassVar

import torch
from safetensors.torch import load

from partbench import InputError, Performer, PerformerPlugin, hookimpl
from partbench.performers.shipped_vgg import ROLES, trained, weights_named
from partbench.performers.small_vgg import network

if TYPE_CHECKING:
    from partbench import Dataset


def weights_file() -> Traversable:
    """The weights in the installed package: half-precision safetensors, one entry a parameter of `network`."""
    return weights_named("small_vgg_attributes")


class SmallVggAttributes(PerformerPlugin):
    """The performer of fauna's attributes: small_vgg with a logit for each attribute, local or global, at 64 px."""

    name: ClassVar[str] = "small_vgg_attributes"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 64

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """The trained network; its outputs are log-odds, named and ordered as the dataset's attributes.

        Raises InputError for anything but an attribute task of fauna.
        """
        names, tasks = dataset.attribute_names, dataset.attribute_tasks
        if dataset.name != "fauna" or not names:
            raise InputError(
                "small_vgg_attributes is trained on fauna's attributes only; use --task fauna/attribute-<name>"
            )
        weights = weights_file().read_bytes()
        return Performer(
            name=SmallVggAttributes.name,
            version=SmallVggAttributes.version,
            input_size=SmallVggAttributes.input_size,
            stages=trained(load(weights), len(names), network),
            roles=ROLES,
            outputs=tuple(names),
            targets={task: names.index(name) for task, name in tasks.items()},
            fingerprint=hashlib.sha256(weights).hexdigest(),
            device=device,
        )


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performer."""
    register(SmallVggAttributes)
