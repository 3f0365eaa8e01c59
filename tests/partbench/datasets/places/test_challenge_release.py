"""ADEChallengeData2016, whole and broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_places
from tiny_places import HEIGHT, WIDTH

from partbench import InputError
from partbench.datasets.places.challenge_release import ChallengeRelease


@pytest.fixture
def release(tmp_path: Path) -> ChallengeRelease:
    return ChallengeRelease(tiny_places.challenge(tmp_path, tiny_places.scenes(each=1)))


def read(release: ChallengeRelease) -> None:
    for photo in release.photos("training"):
        release.regions(photo)


def test_photographs_of_rooms_that_are_there_are_found(release: ChallengeRelease) -> None:
    assert [photo.room for photo in release.photos("training")] == ["bedroom", "kitchen", "bathroom"]
    (release.root / "images/training/ADE_train_00000001.jpg").unlink()
    assert [photo.room for photo in release.photos("training")] == ["kitchen", "bathroom"]
    assert release.labels(release.photos("validation")[0]) == {"wall", "floor, flooring", "bed"}


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return damage


def moved(name: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / name).rename(root.parent / "elsewhere")
        (root / name).symlink_to(root.parent / "elsewhere")

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (replaced("sceneCategories.txt", " bedroom", ""), "sceneCategories.txt line 1: 'ADE_train_00000001', expected"),
        (replaced("sceneCategories.txt", "ADE_train_00000002", "1.jpg"), "line 2: '1.jpg kitchen', expected a photo"),
        (replaced("sceneCategories.txt", "ADE_train_00000002", "ADE_train_00000001"), "line 2: ADE_train_00000001 a"),
        (replaced("objectInfo150.txt", "\t10\t", " 10 "), "objectInfo150.txt line 2: "),
        (replaced("objectInfo150.txt", "\n8\t", "\n9\t"), "objectInfo150.txt line 9: "),
        (replaced("objectInfo150.txt", "\n8\t0.1\t10\t1\tbed", "\nbed"), "objectInfo150.txt line 9: 'bed', expected 8"),
        (replaced("objectInfo150.txt", "\n150\t0.1\t10\t1\tthing 150", ""), "has 149 classes, expected 150"),
        (lambda root: (root / "objectInfo150.txt").unlink(), "objectInfo150.txt is missing"),
        (moved("objectInfo150.txt"), "objectInfo150.txt is a link to .*, expected a file in .*; copy the file itself"),
        (moved("sceneCategories.txt"), "sceneCategories.txt is a link to"),
        (moved("images"), "images/training is a link to"),
        (lambda root: (root / "annotations/training/ADE_train_00000001.png").unlink(), "00000001.png missing, of 3"),
        (lambda root: (root / "annotations/training").rename(root / "elsewhere"), "no folder .*annotations/training"),
        (
            lambda root: tiny_places.image(
                root / "annotations/training/ADE_train_00000001.png", np.full((HEIGHT, WIDTH), 151, np.uint8)
            ),
            "00000001.png has the grey level 151, expected 0 to 150",
        ),
    ],
)
def test_what_is_broken_is_named(damage: Callable[[Path], None], message: str, release: ChallengeRelease) -> None:
    damage(release.root)
    with pytest.raises(InputError, match=message):
        read(release)
