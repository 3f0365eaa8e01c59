"""The base class of plugins that open performers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from partbench.errors import InputError
from partbench.plugin.dataset import Dataset

if TYPE_CHECKING:
    from partbench.performer import Performer


class PerformerPlugin:
    """Opens a performer for a dataset. A performer that has to be trained is trained once and cached."""

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    input_size: ClassVar[int]

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """The frozen performer. Raises InputError where it does not fit the dataset."""
        raise NotImplementedError

    @classmethod
    def outline(cls, dataset: Dataset, device: torch.device) -> Performer:
        """As `open`, for what is said of its layers; a performer that is trained may leave its weights random here."""
        return cls.open(dataset, device)

    @classmethod
    def to_train(cls, dataset: Dataset, device: torch.device, loaded: bool = True) -> Performer:
        """The network that `bench performer train` trains: its last layer has random weights, for this dataset.

        A single task gets one logit, any other dataset one for each class. The layers below have the weights that the
        name of the performer asks for; random ones without `loaded`, for a network whose weights are loaded later.
        Raises InputError where there are no weights, and by default: not every performer can be trained.
        """
        raise InputError(f"performer {cls.name} cannot be trained; use a network of torchvision or timm, or lite0")

    @classmethod
    def variant(cls, name: str) -> type[PerformerPlugin]:
        """The performer of a name that begins with this one's and goes on with options, as in `vgg_16,weights=random`.

        For a performer called "library:NAME": that of a name "library:...". Raises InputError where there is none.
        """
        raise InputError(f"performer {cls.name} has no options, found '{name}'")
