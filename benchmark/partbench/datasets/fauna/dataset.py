"""The dataset `fauna`: fixed train and test scenes, rendered when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from partbench import Batch, Dataset, DatasetCard, Register, hookimpl
from partbench.datasets.fauna.attribute_scene import draw_attribute_scene
from partbench.datasets.fauna.attributes import ATTRIBUTE_NAMES, ATTRIBUTES_VERSION, GLOBAL, attributes_of
from partbench.datasets.fauna.other_scene import OTHER_VERSION, draw_other_scene
from partbench.datasets.fauna.render import ALL_LANDMARKS, CATEGORIES, FAUNA_VERSION, PART_NAMES
from partbench.datasets.fauna.rendered_dataset import RenderedDataset, Splits
from partbench.datasets.fauna.scene_set import FaunaSet, OtherScenes

TRAIN_SEED, TEST_SEED = 1, 2
ATTRIBUTE_SEEDS = 3, 4  # of the attribute scenes for training and testing
OTHER_SEEDS = 7, 8  # of the scenes of no animal


class AttributeSet(FaunaSet):
    """A split of attribute scenes: every animal has its own mixture of the local attributes."""

    kind: ClassVar[str] = f"fauna-attributes-{ATTRIBUTES_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_attribute_scene}

    @cached_property
    def attributes(self) -> Float[Tensor, "N a"]:  # type: ignore[override]
        """+1 or -1 for each of ATTRIBUTE_NAMES."""
        return torch.from_numpy(attributes_of(self.seed, self.count)).float()

    def batch(self, indices: Sequence[int]) -> Batch:
        """These scenes, with attributes too."""
        return replace(super().batch(indices), attributes=self.attributes[list(indices)])


class OtherSet(OtherScenes):
    """Scenes of no animal: plants, stones, furniture, vessels, other creatures."""

    kind: ClassVar[str] = f"fauna-other-{OTHER_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_other_scene}


SPLITS = Splits(FaunaSet, (TRAIN_SEED, TEST_SEED), (1800, 600))


class FaunaAttributes(Dataset):
    """Attribute scenes of fauna, for the tasks that explain a global attribute by local ones."""

    name: ClassVar[str] = "fauna"
    version: ClassVar[str] = f"{FAUNA_VERSION}.{ATTRIBUTES_VERSION}"
    default_performer: ClassVar[str] = "small_vgg_attributes"
    needs_root: ClassVar[bool] = False
    classes: tuple[str, ...] = CATEGORIES
    categories: tuple[str, ...] = ()
    attribute_names: tuple[str, ...] = ATTRIBUTE_NAMES
    attribute_tasks: Mapping[str, str] = {f"attribute-{name}": name for name in GLOBAL}
    landmark_names: tuple[str, ...] = ALL_LANDMARKS
    part_names: tuple[str, ...] = PART_NAMES
    located: tuple[str, ...] = ("head", "neck", "torso")

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        super().__init__(root, size)
        self.train, self.test = Splits(AttributeSet, ATTRIBUTE_SEEDS, SPLITS.counts).at(size)


class Fauna(RenderedDataset):
    """Rendered animals of six categories on random backgrounds, with part masks, landmarks and boxes; embedded."""

    name: ClassVar[str] = "fauna"
    version: ClassVar[str] = FAUNA_VERSION
    default_performer: ClassVar[str] = "small_vgg"
    splits: ClassVar[Splits] = SPLITS
    other_splits: ClassVar[Splits] = Splits(OtherSet, OTHER_SEEDS, (1000, 300))
    card: ClassVar[DatasetCard | None] = SPLITS.card(len(CATEGORIES))
    classes: tuple[str, ...] = CATEGORIES
    categories: tuple[str, ...] = CATEGORIES
    attribute_tasks: Mapping[str, str] = FaunaAttributes.attribute_tasks
    attribute_images: ClassVar[type[Dataset] | None] = FaunaAttributes
    landmark_names: tuple[str, ...] = ALL_LANDMARKS
    part_names: tuple[str, ...] = PART_NAMES
    located: tuple[str, ...] = ("head", "neck", "torso")  # as on Pascal-Part (Interpretable CNN, section 5)


@hookimpl
def register_datasets(register: Register) -> None:
    register(Fauna)
