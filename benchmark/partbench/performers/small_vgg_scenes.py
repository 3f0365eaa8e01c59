"""SmallVggScenes: a VGG-like network that tells the rooms of fauna_scenes apart; its weights ship with partbench.

`scripts/train_small_vgg_scenes.py` made the weights; `weights/small_vgg_scenes.md` says how well they do. In a single
task it is a binary network: fc7 and fc8 of its own on the layers below, which are shared and frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from partbench import hookimpl
from partbench.performers.narrow_vgg import NarrowVgg


class SmallVggScenes(NarrowVgg):
    """The default performer of fauna_scenes: 0.5 million weights, 64 px, a map of 16 x 16 cells, each sees 36 px."""

    name: ClassVar[str] = "small_vgg_scenes"
    version: ClassVar[str] = "1"
    trained_on: ClassVar[str] = "fauna_scenes"
    classes: ClassVar[tuple[str, ...]] = ("bathroom", "bedroom", "dining_room", "kitchen", "living_room", "office")


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performer."""
    register(SmallVggScenes)
