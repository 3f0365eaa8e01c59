"""The dataset `fauna`: fixed train and test scenes, rendered when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from partbench import Batch, Register, hookimpl
from partbench.datasets.fauna.render import ALL_LANDMARKS, CATEGORIES, FAUNA_VERSION, PART_NAMES, Sample, render

TRAIN_SEED, TEST_SEED = 1, 2
TRAIN_IMAGES, TEST_IMAGES = 2400, 600


@dataclass
class FaunaSet:
    """Scenes 0 .. count - 1 of a seed at `size` px; `without` names parts left out of every rendering."""

    seed: int
    count: int
    size: int
    without: tuple[str, ...] = ()
    _samples: dict[int, Sample] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.count

    @property
    def fingerprint(self) -> str:
        """What determines the pixels."""
        return f"fauna-{FAUNA_VERSION}-{self.seed}-{self.count}-{self.size}-{'+'.join(self.without)}"

    @property
    def labels(self) -> Int[Tensor, "N"]:
        """Categories are dealt in turn."""
        return torch.arange(self.count) % len(CATEGORIES)

    def sample(self, index: int) -> Sample:
        """One rendering, kept in memory."""
        if index not in self._samples:
            self._samples[index] = render(self.seed, index, self.size, self.without)
        return self._samples[index]

    def batch(self, indices: Sequence[int]) -> Batch:
        """Render these scenes."""
        samples = [self.sample(i) for i in indices]
        images = np.stack([s.image for s in samples]).transpose(0, 3, 1, 2)
        suffix = "".join(f"-{part}" for part in self.without)
        return Batch(
            ids=tuple(f"fauna/{self.seed}/{i}{suffix}" for i in indices),
            images=torch.from_numpy(np.ascontiguousarray(images)).float() / 255,
            labels=torch.tensor([s.label for s in samples]),
            boxes=torch.from_numpy(np.stack([s.box for s in samples])).float(),
            landmarks=torch.from_numpy(np.stack([s.landmarks for s in samples])).float(),
            masks=torch.from_numpy(np.stack([s.masks for s in samples])),
        )


class Fauna:
    """Animals of six categories in front of anything, with exact part masks, landmarks and boxes; no files needed."""

    name: ClassVar[str] = "fauna"
    version: ClassVar[str] = FAUNA_VERSION
    default_performer: ClassVar[str] = "small_vgg"
    needs_root: ClassVar[bool] = False
    classes: ClassVar[tuple[str, ...]] = CATEGORIES
    categories: ClassVar[tuple[str, ...]] = CATEGORIES
    landmark_names = ALL_LANDMARKS
    part_names = PART_NAMES

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        self.size = size
        self.train = FaunaSet(TRAIN_SEED, TRAIN_IMAGES, size)
        self.test = FaunaSet(TEST_SEED, TEST_IMAGES, size)


@hookimpl
def register_datasets(register: Register) -> None:
    register(Fauna)
