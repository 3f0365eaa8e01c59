"""The dataset pascal_part on a tiny folder in the official layout, and on real photographs where they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_pascal_part as tiny
import torch

from partbench import InputError, check_dataset
from partbench.datasets.pascal_part import PascalPart
from partbench.datasets.pascal_part.parts import PARTS
from partbench.opening import Workbench
from partbench.registry import load

pytestmark = pytest.mark.filterwarnings("ignore:pascal_part:UserWarning")
SAMPLE = Path(__file__).resolve().parents[5] / "shared" / "data" / "pascal_part"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("pascal_part"))


def test_it_keeps_the_contract_and_each_large_animal_is_an_image(root: Path) -> None:
    dataset = PascalPart(root, 24)
    check_dataset(dataset)
    assert dataset.classes == PascalPart.categories_in(root) == ("bird", "cat", "dog")
    train = ("2008_000001/2", "2009_000003/1", "2010_000005/1")
    assert dataset.train.batch(range(3)).ids == tuple(f"pascal_part/{name}" for name in train)
    assert dataset.train.labels.tolist() == [1, 2, 0]
    assert len(dataset.test) == 5
    assert dataset.train.batch([]).masks.shape == (0, 6, 24, 24)


def test_masks_and_landmarks_lie_on_the_pixels_of_their_part(root: Path) -> None:
    batch = PascalPart(root, 200).train.batch([2])  # its beak, wing and tail are red
    masks = dict(zip(PARTS, batch.masks[0], strict=True))
    red = batch.pixels[0, 0] - batch.pixels[0, 1] > 0
    union = masks["head"] | masks["torso"] | masks["tail"]
    assert (red == union).float().mean() > 0.99
    assert edges(masks["torso"]) == pytest.approx([20 / 90 * 200, 50, 70 / 90 * 200, 150], abs=1)
    dog = PascalPart(root, 120).train.batch([1])
    assert dog.landmarks[0, 1].tolist() == pytest.approx([(17 - 10) / 60 * 120, (18 - 5) / 50 * 120])
    assert dog.landmarks[0, [0, 2]].isnan().all()
    assert dog.boxes.tolist() == [[0, 0, 120, 120]]


def edges(mask: torch.Tensor) -> list[int]:
    y, x = torch.nonzero(mask, as_tuple=True)
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]


def test_fingerprints_follow_size_split_photographs_and_annotations_and_not_the_place(root: Path, tmp_path: Path):
    def prints(place: Path, size: int = 16) -> list[str]:
        dataset = PascalPart(place, size)
        return [dataset.train.fingerprint, dataset.test.fingerprint]

    copy = Path(shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile))
    first = prints(root)
    assert prints(copy) == first
    photo = copy / "VOCdevkit/VOC2010/JPEGImages/2009_000003.jpg"
    photo.write_bytes(photo.read_bytes() + b"\0")
    second = prints(copy)
    tiny.annotation(copy / "Annotations_Part/2010_000006.mat", [tiny.Thing("bird", (5, 5, 85, 74))])
    third = prints(copy)
    assert second[1] == first[1] != third[1]
    assert len({*first, *prints(root, 17), second[0]}) == 5


def test_single_tasks_tell_animals_from_the_photographs_of_other(root: Path, tmp_path: Path) -> None:
    registry = load()
    assert Workbench(registry, root).expand(["pascal_part/multi:*"]) == [
        f"pascal_part/multi:{kind}" for kind in ("bird", "cat", "dog")
    ]
    with pytest.raises(InputError, match=r"pascal_part has no random images .* --other FOLDER"):
        Workbench(registry, root).expand(["pascal_part/cat"])
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((30, 50), 40 * i, np.uint8))
    workbench = Workbench(registry, root, other=tmp_path)
    assert workbench.expand(["pascal_part/*:others"])[1] == "pascal_part/cat:others"
    view, others = (workbench.dataset("pascal_part", 24, what) for what in ("cat", "cat:others"))
    assert view.train.labels.tolist() == [1, 0, 0]
    assert others.train.labels.tolist() == [1, 0, 0, 0, 0]
    batch = view.train.batch([0, 1])
    assert batch.masks.any((1, 2, 3)).tolist() == [True, False]
    assert batch.landmarks[1].isnan().all()


def test_the_real_photographs_are_read_as_published() -> None:
    if not SAMPLE.is_dir():
        pytest.skip("no real photographs of Pascal-Part beside the repository")
    with pytest.warns(UserWarning, match=r"holds 11 of 10,103 annotations"):
        dataset = PascalPart(SAMPLE, 64)
    check_dataset(dataset)
    assert dataset.categories == ("cat", "dog", "horse")
    assert (len(dataset.train), len(dataset.test)) == (5, 3)
    batch = dataset.train.batch([0])
    assert batch.ids == ("pascal_part/2008_000008/2",)
    assert batch.masks.any((2, 3))[0].tolist() == [True, True, False, True, True, False]  # a horse's tail is none
    for part, landmark in (("head", 0), ("torso", 2)):
        x, y = batch.landmarks[0, landmark].long().tolist()
        assert batch.masks[0, PARTS.index(part), y, x]
