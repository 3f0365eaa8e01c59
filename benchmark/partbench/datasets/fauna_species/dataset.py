"""The dataset `fauna_species`: birds of species that differ in parts, in fixed scenes, rendered when asked for.

As in CUB-200-2011, on which SRAE is measured (its paper, section 4), classes are species of birds that share the looks
of most parts. Here `species.TRUTH` says what every part of every species looks like; docs/fauna_species.md shows it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from partbench import DatasetCard, Register, hookimpl
from partbench.datasets.fauna.other_scene import OTHER_VERSION
from partbench.datasets.fauna.render import FAUNA_VERSION
from partbench.datasets.fauna.rendered_dataset import RenderedDataset, Splits
from partbench.datasets.fauna.scene_set import FaunaSet, OtherScenes
from partbench.datasets.fauna.vocabulary import CUB_LANDMARKS, Vocabulary
from partbench.datasets.fauna_species.scene import SPECIES_VOCABULARY, draw_other_species_scene, draw_species_scene
from partbench.datasets.fauna_species.species import SPECIES, SPECIES_VERSION

TRAIN_SEED, TEST_SEED = 21, 22
OTHER_SEEDS = 27, 28  # of the scenes of no bird


class SpeciesSet(FaunaSet):
    """Scenes of a seed, each of one bird; species are dealt in turn."""

    kind: ClassVar[str] = f"fauna-species-{SPECIES_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_species_scene}
    vocabulary: ClassVar[Vocabulary] = SPECIES_VOCABULARY


class OtherSpeciesSet(OtherScenes):
    """Scenes of no bird: those of fauna that show no animal, of other seeds."""

    kind: ClassVar[str] = f"fauna-species-other-{OTHER_VERSION}"
    scenes: ClassVar[dict[str, Any]] = {"scene_of": draw_other_species_scene}
    vocabulary: ClassVar[Vocabulary] = SPECIES_VOCABULARY


SPLITS = Splits(SpeciesSet, (TRAIN_SEED, TEST_SEED), (2400, 600))


class FaunaSpecies(RenderedDataset):
    """Rendered birds of twelve species that differ in parts, with part masks, landmarks and boxes; embedded.

    The landmarks are those of CUB, NaN where a part cannot be seen, and the same three are used for location.
    """

    name: ClassVar[str] = "fauna_species"
    version: ClassVar[str] = f"{FAUNA_VERSION}.{SPECIES_VERSION}"
    default_performer: ClassVar[str] = "small_vgg_species"
    splits: ClassVar[Splits] = SPLITS
    other_splits: ClassVar[Splits] = Splits(OtherSpeciesSet, OTHER_SEEDS, (1000, 300))
    card: ClassVar[DatasetCard | None] = SPLITS.card(len(SPECIES))
    classes: tuple[str, ...] = SPECIES
    categories: tuple[str, ...] = SPECIES
    landmark_names: tuple[str, ...] = CUB_LANDMARKS
    part_names: tuple[str, ...] = SPECIES_VOCABULARY.part_names
    located: tuple[str, ...] | None = ("back", "forehead", "tail")  # as on CUB (Interpretable CNN, section 6)


@hookimpl
def register_datasets(register: Register) -> None:
    """This module's dataset."""
    register(FaunaSpecies)
