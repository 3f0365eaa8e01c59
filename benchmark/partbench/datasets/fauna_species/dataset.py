"""The dataset `fauna_species`: birds of species that differ in parts, in fixed scenes, rendered when asked for.

As in CUB-200-2011, on which SRAE is measured (its paper, section 4), classes are species of birds that share the looks
of most parts. Here `species.TRUTH` says what every part of every species looks like; docs/fauna_species.md shows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch

from partbench import Dataset, DatasetCard, ImageSet, Register, hookimpl
from partbench.datasets.fauna.dataset import FaunaSet, embedded_card
from partbench.datasets.fauna.other_scene import OTHER_VERSION
from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.datasets.fauna.vocabulary import CUB_LANDMARKS, Vocabulary
from partbench.datasets.fauna_species.scene import SPECIES_VOCABULARY, draw_other_species_scene, draw_species_scene
from partbench.datasets.fauna_species.species import SPECIES, SPECIES_VERSION

TRAIN_SEED, TEST_SEED = 21, 22
OTHER_SEEDS = 27, 28  # of the scenes of no bird
TRAIN_IMAGES, TEST_IMAGES = 2400, 600
OTHER_IMAGES = 1000, 300


class SpeciesSet(FaunaSet):
    """Scenes of a seed, each of one bird; species are dealt in turn."""

    kind: ClassVar[str] = f"fauna-species-{SPECIES_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_species_scene}
    vocabulary: ClassVar[Vocabulary] = SPECIES_VOCABULARY


class OtherSpeciesSet(SpeciesSet):
    """The same of scenes of no bird: boxes and masks are empty, landmarks NaN, and no part can be left out."""

    kind: ClassVar[str] = f"fauna-species-other-{OTHER_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_other_species_scene}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.has_removals = False
        self.labels = torch.full((self.count,), len(SPECIES))


class FaunaSpecies(Dataset):
    """Rendered birds of twelve species that differ in parts, with part masks, landmarks and boxes; embedded.

    The landmarks are those of CUB, NaN where a part cannot be seen, and the same three are used for location.
    """

    name: ClassVar[str] = "fauna_species"
    version: ClassVar[str] = f"{FAUNA_VERSION}.{SPECIES_VERSION}"
    default_performer: ClassVar[str] = "small_vgg_species"
    needs_root: ClassVar[bool] = False
    card: ClassVar[DatasetCard | None] = embedded_card(TRAIN_IMAGES, TEST_IMAGES, len(SPECIES))
    classes: tuple[str, ...] = SPECIES
    categories: tuple[str, ...] = SPECIES
    landmark_names: tuple[str, ...] = CUB_LANDMARKS
    part_names: tuple[str, ...] = SPECIES_VOCABULARY.part_names
    located: tuple[str, ...] | None = ("back", "forehead", "tail")  # as on CUB (Interpretable CNN, section 6)
    offers_random_images: ClassVar[bool] = True

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        super().__init__(root, size)
        self.train = SpeciesSet(TRAIN_SEED, TRAIN_IMAGES, size)
        self.test = SpeciesSet(TEST_SEED, TEST_IMAGES, size)

    def random_images(self) -> tuple[ImageSet, ImageSet]:
        """Scenes of no bird: those of fauna that show no animal, of other seeds."""
        train, test = (OtherSpeciesSet(seed, n, self.size) for seed, n in zip(OTHER_SEEDS, OTHER_IMAGES, strict=True))
        return train, test


@hookimpl
def register_datasets(register: Register) -> None:
    """This module's dataset."""
    register(FaunaSpecies)
