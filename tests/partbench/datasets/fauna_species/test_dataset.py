"""The dataset `fauna_species`: balanced splits that share no scene, and random images of the same kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench.datasets.cub.dataset import Cub
from partbench.datasets.fauna_species.dataset import FaunaSpecies, OtherSpeciesSet, SpeciesSet
from partbench.datasets.fauna_species.species import PROPERTIES, SPECIES
from partbench.testing.dataset import check_split


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))


def test_splits_are_balanced_and_share_no_scene() -> None:
    species = FaunaSpecies()
    for split in (species.train, species.test):
        assert split.labels.bincount().tolist() == [len(split) // len(SPECIES)] * len(SPECIES)
    assert not set(species.train.batch([0, 5]).ids) & set(species.test.batch([0, 5]).ids)


def test_fingerprints_name_the_world_and_its_version() -> None:
    species = FaunaSpecies()
    assert species.train.fingerprint == "fauna-species-1-1-21-2400-64"
    assert species.random_images()[1].fingerprint == "fauna-species-other-1-1-28-300-64"


def test_a_split_keeps_the_contract_and_has_images_without_each_part() -> None:
    birds = SpeciesSet(41, 13, 32)
    check_split("test", birds, FaunaSpecies(size=32))
    whole = birds.batch(range(4))
    for k, part in enumerate(FaunaSpecies.part_names):
        rest = birds.batch_without(range(4), part)
        assert rest.masks is not None
        assert not rest.masks[:, k].any()
        assert not set(rest.ids) & set(whole.ids)


def test_random_images_show_no_bird_and_lack_no_part() -> None:
    others = OtherSpeciesSet(41, 5, 32)
    batch = others.batch(range(5))
    assert batch.masks is not None
    assert batch.masks.shape[1] == len(FaunaSpecies.part_names)
    assert not batch.masks.any()
    assert not others.has_removals


def test_metrics_of_location_use_the_landmarks_that_they_use_on_cub() -> None:
    assert FaunaSpecies.located == Cub.located
    assert FaunaSpecies.landmark_names == Cub.landmark_names


def test_all_parts_but_the_face_have_looks_that_tell_species() -> None:
    assert set(FaunaSpecies.part_names) - set(PROPERTIES) == {"face"}
