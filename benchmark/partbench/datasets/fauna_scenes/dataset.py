"""The dataset `fauna_scenes`: rooms that are told by their objects, in fixed scenes, rendered when asked for.

As on Places365 with the objects of ADE20K, on which SRAE measures locality (its paper, section 4 and Table 3), images
have masks by class of object. Here all objects are known: `vocabulary.ROOMS` says which of them make a room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch

from partbench import Batch, DatasetCard, Register, hookimpl
from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.datasets.fauna.rendered_dataset import RenderedDataset, Splits
from partbench.datasets.fauna.scene_set import FaunaSet, OtherScenes
from partbench.datasets.fauna.vocabulary import Vocabulary
from partbench.datasets.fauna_scenes.scene import SCENES_VERSION, draw_other_room_scene, draw_room_scene
from partbench.datasets.fauna_scenes.vocabulary import OBJECTS, ROOM_VOCABULARY, ROOMS

TRAIN_SEED, TEST_SEED = 31, 32
OTHER_SEEDS = 37, 38  # of the scenes of no room


class RoomSet(FaunaSet):
    """Rooms of a seed, dealt in turn. A part is a class of objects: `batch_without` leaves all of them out."""

    kind: ClassVar[str] = f"fauna-scenes-{SCENES_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_room_scene}
    vocabulary: ClassVar[Vocabulary] = ROOM_VOCABULARY

    def batch(self, indices: Sequence[int]) -> Batch:
        """These scenes, with masks by class of object; the box is the whole image, and there are no landmarks."""
        frame = torch.tensor((0.0, 0.0, self.size, self.size)).repeat(len(indices), 1)
        return replace(super().batch(indices), boxes=frame, landmarks=None)


class OtherRoomSet(OtherScenes, RoomSet):
    """Scenes of no room: things of any room, and in some images one object of a room, which can be left out."""

    kind: ClassVar[str] = f"fauna-scenes-other-{SCENES_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_other_room_scene}
    has_removals = True


SPLITS = Splits(RoomSet, (TRAIN_SEED, TEST_SEED), (1800, 600))


class FaunaScenes(RenderedDataset):
    """Rendered rooms of six kinds, which their objects tell, with masks of 24 classes of objects; embedded.

    Two or three of the objects of a room decide what it is; in three images of ten one object of another room stands
    among them. Six classes of things are in all rooms alike.
    """

    name: ClassVar[str] = "fauna_scenes"
    version: ClassVar[str] = f"{FAUNA_VERSION}.{SCENES_VERSION}"
    default_performer: ClassVar[str] = "small_vgg_scenes"
    splits: ClassVar[Splits] = SPLITS
    other_splits: ClassVar[Splits] = Splits(OtherRoomSet, OTHER_SEEDS, (1000, 300))
    card: ClassVar[DatasetCard | None] = SPLITS.card(len(ROOMS))
    classes: tuple[str, ...] = tuple(ROOMS)
    categories: tuple[str, ...] = tuple(ROOMS)
    part_names: tuple[str, ...] = OBJECTS


@hookimpl
def register_datasets(register: Register) -> None:
    """This module's dataset."""
    register(FaunaScenes)
