"""SmallVggSpecies: a VGG-like network that tells the species of fauna_species apart; its weights ship with partbench.

`scripts/train_small_vgg_species.py` made the weights; `weights/small_vgg_species.md` says how well they do. In a single
task it is a binary network: fc7 and fc8 of its own on the layers below, which are shared and frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from partbench import hookimpl
from partbench.performers.narrow_vgg import NarrowVgg


class SmallVggSpecies(NarrowVgg):
    """The default performer of fauna_species: 0.5 million weights, 64 px, a map of 16 x 16 cells, each sees 36 px."""

    name: ClassVar[str] = "small_vgg_species"
    version: ClassVar[str] = "1"
    trained_on: ClassVar[str] = "fauna_species"
    classes: ClassVar[tuple[str, ...]] = (
        "black_throated_finch", "red_crowned_finch", "yellow_breasted_finch",
        "spotted_jay", "black_backed_jay", "red_shouldered_jay",
        "red_throated_creeper", "white_fronted_creeper", "red_crowned_creeper",
        "yellow_breasted_hoopoe", "white_fronted_hoopoe", "red_throated_hoopoe",
    )  # fmt: skip


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performer."""
    register(SmallVggSpecies)
