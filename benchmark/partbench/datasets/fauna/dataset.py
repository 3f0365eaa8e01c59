"""The dataset `fauna`: fixed train and test scenes, rendered when asked for."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from partbench import Batch, CacheItem, Dataset, DatasetCard, ImageSet, Progress, Register, hookimpl, silent
from partbench.datasets.fauna.attribute_scene import draw_attribute_scene
from partbench.datasets.fauna.attributes import ATTRIBUTE_NAMES, ATTRIBUTES_VERSION, GLOBAL, attributes_of
from partbench.datasets.fauna.other_scene import OTHER_LABEL, OTHER_VERSION, draw_other_scene
from partbench.datasets.fauna.render import (
    ALL_LANDMARKS,
    CATEGORIES,
    FAUNA_VERSION,
    PART_NAMES,
    render_many,
    rendered,
    stack,
)
from partbench.datasets.fauna.vocabulary import FAUNA, Vocabulary

TRAIN_SEED, TEST_SEED = 1, 2
ATTRIBUTE_SEEDS = 3, 4  # of the attribute scenes for training and testing
OTHER_SEEDS = 7, 8  # of the scenes of no animal
TRAIN_IMAGES, TEST_IMAGES = 1800, 600
OTHER_IMAGES = 1000, 300
MANY = 64  # images from which on the whole split is rendered and kept
KEPT_SIDE = 128  # px up to which a split is kept on disk


@dataclass
class FaunaSet(ImageSet):
    """Scenes 0 .. count - 1 of a seed at `size` px; `without` names parts left out of every rendering.

    A few images are rendered when asked for. When many are, the whole split is rendered once and kept in the cache
    folder, packed; `progress` is told how far that is. Small images that lack a part are kept in memory.
    """

    seed: int
    count: int
    size: int
    without: tuple[str, ...] = ()
    progress: Progress = field(default=silent, repr=False, compare=False)
    kind: ClassVar[str] = "fauna"
    scenes: ClassVar[dict[str, Any]] = {}  # options of `render`
    vocabulary: ClassVar[Vocabulary] = FAUNA
    _kept: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    _drawn: dict[int, dict[str, np.ndarray]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lacking: dict[str, FaunaSet] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return self.count

    def __post_init__(self) -> None:
        numbers = f"{FAUNA_VERSION}-{self.seed}-{self.count}-{self.size}"
        self.has_removals = True
        self.fingerprint = f"{self.kind}-{numbers}{''.join(f'-{part}' for part in self.without)}"
        self.labels: Int[Tensor, "N"] = torch.arange(self.count) % len(self.vocabulary.categories)  # dealt in turn

    def batch(self, indices: Sequence[int]) -> Batch:
        """These scenes, with boxes, landmarks and part masks."""
        data = self._arrays(list(indices))
        suffix = "".join(f"-{part}" for part in self.without)
        images = torch.from_numpy(data["image"]).permute(0, 3, 1, 2).contiguous()
        return Batch(
            ids=tuple(f"{self.kind}/{self.seed}/{i}{suffix}" for i in indices),
            pixels=images.float() / 255,
            labels=torch.from_numpy(data["label"]).long(),
            boxes=torch.from_numpy(data["box"]).float(),
            landmarks=torch.from_numpy(data["landmarks"]).float(),
            masks=torch.from_numpy(data["masks"]),
        )

    def batch_without(self, indices: Sequence[int], part: str) -> Batch:
        """The same scenes with one part not painted: what lies behind it appears, all other pixels stay.

        `part` is one of the vocabulary's part names, or as in `render`; where it cannot be seen, or the category lacks
        it, the image is the same to the bit. What the part holds floats. Ids differ from those of `batch`. Raises
        ValueError for a name that no category has.
        """
        if part not in self._lacking:
            without = (*self.without, part)
            self._lacking[part] = type(self)(self.seed, self.count, self.size, without, self.progress)
        return self._lacking[part].batch(indices)

    def _arrays(self, indices: list[int]) -> dict[str, np.ndarray]:
        item = CacheItem("fauna", self.fingerprint, ".npz")
        if not self._kept and self.size <= KEPT_SIDE and (len(indices) >= MANY or item.exists()):
            self._kept = item.once(_load, lambda: self._render_all(item), self.progress)
        if not self._kept:
            return self._few(indices)
        chosen = {name: values[indices] for name, values in self._kept.items()}
        masks = np.unpackbits(chosen["masks"], axis=-1, count=self.size).astype(bool)
        return chosen | {"masks": masks}

    def _few(self, indices: list[int]) -> dict[str, np.ndarray]:
        if not self.without or self.size > KEPT_SIDE:
            return render_many(self.seed, indices, self.size, without=self.without, **self.scenes)
        for index in indices:
            if index not in self._drawn:
                self._drawn[index] = render_many(self.seed, [index], self.size, without=self.without, **self.scenes)
        found = [self._drawn[index] for index in indices]
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    def _render_all(self, item: CacheItem) -> Path:
        samples = []
        options = {"without": self.without, **self.scenes}
        with closing(rendered(self.seed, range(self.count), self.size, os.cpu_count(), **options)) as drawn:
            for sample in drawn:
                samples.append(sample)
                self.progress(f"rendering {self.kind}, seed {self.seed}", len(samples), self.count)
        arrays = stack(samples)
        arrays["masks"] = np.packbits(arrays["masks"], axis=-1)
        return item.write(lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


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


class OtherSet(FaunaSet):
    """The same of scenes of no animal: boxes and masks are empty, landmarks NaN, and no part can be left out."""

    kind: ClassVar[str] = f"fauna-other-{OTHER_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_other_scene}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.has_removals = False
        self.labels = torch.full((self.count,), OTHER_LABEL)


def _load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file. Raises ValueError if it holds none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error


def embedded_card(train: int, test: int, categories: int) -> DatasetCard:
    """The card of a dataset that is rendered: numbers of training and test images and of categories, no download."""
    return DatasetCard(
        source="comes with partbench, which renders the images",
        size="none",
        licence="Apache-2.0",
        citation="partbench",
        train=train,
        test=test,
        categories=categories,
    )


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
        self.train = AttributeSet(ATTRIBUTE_SEEDS[0], TRAIN_IMAGES, size)
        self.test = AttributeSet(ATTRIBUTE_SEEDS[1], TEST_IMAGES, size)


class Fauna(Dataset):
    """Rendered animals of six categories on random backgrounds, with part masks, landmarks and boxes; embedded."""

    name: ClassVar[str] = "fauna"
    version: ClassVar[str] = FAUNA_VERSION
    default_performer: ClassVar[str] = "small_vgg"
    needs_root: ClassVar[bool] = False
    card: ClassVar[DatasetCard | None] = embedded_card(TRAIN_IMAGES, TEST_IMAGES, len(CATEGORIES))
    classes: tuple[str, ...] = CATEGORIES
    categories: tuple[str, ...] = CATEGORIES
    attribute_tasks: Mapping[str, str] = FaunaAttributes.attribute_tasks
    attribute_images: ClassVar[type[Dataset] | None] = FaunaAttributes
    landmark_names: tuple[str, ...] = ALL_LANDMARKS
    part_names: tuple[str, ...] = PART_NAMES
    located: tuple[str, ...] = ("head", "neck", "torso")  # as on Pascal-Part (Interpretable CNN, section 5)
    offers_random_images: ClassVar[bool] = True

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        super().__init__(root, size)
        self.train = FaunaSet(TRAIN_SEED, TRAIN_IMAGES, size)
        self.test = FaunaSet(TEST_SEED, TEST_IMAGES, size)

    def random_images(self) -> tuple[ImageSet, ImageSet]:
        """Scenes of no animal: plants, stones, furniture, vessels, other creatures."""
        train, test = (OtherSet(seed, n, self.size) for seed, n in zip(OTHER_SEEDS, OTHER_IMAGES, strict=True))
        return train, test


@hookimpl
def register_datasets(register: Register) -> None:
    register(Fauna)
