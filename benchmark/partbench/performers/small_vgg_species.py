"""SmallVggSpecies: a VGG-like network that tells the species of fauna_species apart; its weights ship with partbench.

`scripts/train_small_vgg_species.py` made the weights; `weights/small_vgg_species.md` says how well they do. In a single
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
from torch import Tensor, nn

from partbench import InputError, Performer, PerformerPlugin, hookimpl
from partbench.datasets.fauna_species.species import SPECIES
from partbench.performers import small_vgg
from partbench.performers.small_vgg import OWN, ROLES, head_name

if TYPE_CHECKING:
    from partbench import Dataset

WIDTHS = 128, 64  # of fc6 and fc7


def weights_file() -> Traversable:
    """The weights in the installed package: half-precision safetensors, one entry a parameter of `network`.

    Those of the binary heads are named "heads/spotted_jay/" or "heads/spotted_jay:others/" and the parameter.
    """
    return resources.files("partbench.performers") / "weights" / "small_vgg_species.safetensors"


def network(outputs: int = len(SPECIES)) -> nn.Sequential:
    """The stages of small_vgg with smaller fc6 and fc7, with random weights; images are 64 x 64 px."""
    stages, (wide, narrow) = small_vgg.network(outputs), WIDTHS
    stages.fc6 = nn.Sequential(nn.Flatten(), nn.Linear(48 * 8 * 8, wide), nn.ReLU())
    stages.fc7 = nn.Sequential(nn.Linear(wide, narrow), nn.ReLU())
    stages.fc8 = nn.Linear(narrow, outputs)
    return stages


def trained(weights: dict[str, Tensor], outputs: int) -> nn.Sequential:
    """The network with these weights; torch's random generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        stages = network(outputs)
    stages.load_state_dict(weights)
    return stages


def state_of(weights: dict[str, Tensor], head: str = "") -> dict[str, Tensor]:
    """The parameters of `network` among the weights of the file; with those of a binary head, if one is named."""
    shared = {name: value for name, value in weights.items() if not name.startswith("heads/")}
    if not head:
        return shared
    start = f"heads/{head}/"
    own = {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}
    return {name: value for name, value in shared.items() if not name.startswith(OWN)} | own


class SmallVggSpecies(PerformerPlugin):
    """The default performer of fauna_species: 0.5 million weights, 64 px, a map of 16 x 16 cells, each sees 36 px."""

    name: ClassVar[str] = "small_vgg_species"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 64

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """The trained network. Raises InputError for any other dataset than fauna_species.

        In a single task its one output is the log-odds of the species, above 0 for yes.
        """
        if dataset.name != "fauna_species":
            instead = f"{dataset.name}/multi:<category>@lite0_head"
            raise InputError(f"small_vgg_species is trained on fauna_species only; use --task {instead}")
        weights = weights_file().read_bytes()
        head, outputs = (head_name(dataset), dataset.categories) if dataset.negatives else ("", SPECIES)
        return Performer(
            name=SmallVggSpecies.name,
            version=SmallVggSpecies.version,
            input_size=SmallVggSpecies.input_size,
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
    register(SmallVggSpecies)
