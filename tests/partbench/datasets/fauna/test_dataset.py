"""The dataset `fauna`: splits that do not overlap, animals and attribute scenes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from partbench.datasets.fauna.attributes import ATTRIBUTE_NAMES
from partbench.datasets.fauna.dataset import AttributeSet, Fauna, FaunaAttributes
from partbench.datasets.fauna.scene_set import FaunaSet
from partbench.datasets.fauna.vocabulary import PART_NAMES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    return tmp_path


def test_splits_share_no_scene_and_are_balanced() -> None:
    fauna = Fauna(size=64)
    assert fauna.train.seed != fauna.test.seed
    for split in (fauna.train, fauna.test):
        assert split.labels.bincount().tolist() == [len(split) // 6] * 6


def test_what_an_animal_wears_goes_with_its_part(folder: Path) -> None:
    worn = AttributeSet(41, 24, 48)
    headless = worn.batch_without(range(24), "head")
    assert not headless.masks[:, PART_NAMES.index("head")].any()
    assert torch.equal(headless.attributes, worn.attributes)


def test_the_fingerprint_of_fauna_is_that_of_before() -> None:
    assert Fauna().train.fingerprint == "fauna-1-1-1800-64"
    assert FaunaSet(3, 4, 16, ("head",)).fingerprint == "fauna-1-3-4-16-head"


def test_a_batch_has_the_attributes_of_its_images(folder: Path) -> None:
    images = AttributeSet(41, 12, 24)
    batch = images.batch([5, 2])
    assert batch.attributes is not None
    assert batch.attributes.tolist() == images.attributes[[5, 2]].tolist()
    assert batch.attributes.shape == (2, len(ATTRIBUTE_NAMES))
    assert set(batch.attributes.unique().tolist()) == {-1.0, 1.0}
    assert batch.ids == ("fauna-attributes-1/41/5", "fauna-attributes-1/41/2")
    assert batch.masks is not None
    assert batch.masks.any((2, 3))[:, 0].all()


def test_attribute_scenes_and_other_scenes_share_no_id_and_no_kept_file(folder: Path) -> None:
    ours, theirs = FaunaAttributes(size=24), Fauna(size=24)
    prints = [s.fingerprint for d in (ours, theirs) for s in (d.train, d.test)]
    assert len(set(prints)) == 4
    assert not set(ours.test.batch([0]).ids) & set(theirs.test.batch([0]).ids)
