from __future__ import annotations

import pytest

from partbench.datasets.fauna.dataset import Fauna
from partbench.datasets.fauna.rendered_dataset import RenderedDataset
from partbench.datasets.fauna_scenes.dataset import FaunaScenes
from partbench.datasets.fauna_species.dataset import FaunaSpecies


@pytest.mark.parametrize("cls", [Fauna, FaunaSpecies, FaunaScenes])
def test_no_seed_of_a_world_serves_two_splits_and_the_card_counts_them(cls: type[RenderedDataset]) -> None:
    world = cls(size=32)
    sets = [world.train, world.test, *world.random_images()]
    assert len({images.seed for images in sets}) == 4
    assert {images.size for images in sets} == {32}
    assert [len(images) for images in sets[2:]] == [1000, 300]
    assert (world.card.train, world.card.test) == (len(world.train), len(world.test))
    assert world.card.categories == len(world.categories)
