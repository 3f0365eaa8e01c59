"""The dataset `fauna_scenes`: balanced splits that share no scene, the whole image as box, and random images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from partbench.datasets.fauna_scenes.dataset import FaunaScenes, OtherRoomSet, RoomSet
from partbench.datasets.fauna_scenes.vocabulary import EVERYWHERE, OBJECTS, ROOMS
from partbench.testing.dataset import check_split


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))


def test_splits_are_balanced_and_share_no_scene() -> None:
    rooms = FaunaScenes()
    for split in (rooms.train, rooms.test):
        assert split.labels.bincount().tolist() == [len(split) // len(ROOMS)] * len(ROOMS)
    assert not set(rooms.train.batch([0, 5]).ids) & set(rooms.test.batch([0, 5]).ids)


def test_fingerprints_name_the_world_and_its_version() -> None:
    rooms = FaunaScenes()
    assert rooms.train.fingerprint == "fauna-scenes-1-1-31-1800-64"
    assert rooms.random_images()[1].fingerprint == "fauna-scenes-other-1-1-38-300-64"


def test_a_split_keeps_the_contract_and_has_images_without_each_object() -> None:
    rooms = RoomSet(41, 13, 32)
    check_split("test", rooms, FaunaScenes(size=32))
    whole = rooms.batch(range(4))
    assert whole.landmarks is None
    assert torch.equal(whole.boxes, torch.tensor([[0.0, 0.0, 32.0, 32.0]]).repeat(4, 1))
    for k, part in enumerate(FaunaScenes.part_names):
        rest = rooms.batch_without(range(4), part)
        assert not rest.masks[:, k].any()
        assert torch.equal(rest.boxes, whole.boxes)
        assert not set(rest.ids) & set(whole.ids)


def test_random_images_show_things_of_any_room() -> None:
    batch = OtherRoomSet(41, 12, 32).batch(range(12))
    shown = batch.masks.flatten(2).any(2)
    assert shown[:, [OBJECTS.index(name) for name in EVERYWHERE]].any(1).all()
    assert shown[:, [k for k, name in enumerate(OBJECTS) if name not in EVERYWHERE]].sum(1).max() <= 1
