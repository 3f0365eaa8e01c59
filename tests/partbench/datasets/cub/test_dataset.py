"""The dataset CUB on a tiny folder in the official layout, and on real photographs where they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_cub
import torch

from partbench import InputError, check_dataset
from partbench.datasets.cub import Cub, CubCrops
from partbench.opening import Workbench
from partbench.registry import load

pytestmark = pytest.mark.filterwarnings("ignore:cub:UserWarning")
SAMPLE = Path(__file__).resolve().parents[5] / "shared" / "data" / "cub"
REGISTRY = load()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tiny_cub.write(tmp_path)


@pytest.mark.parametrize("cls", [Cub, CubCrops])
def test_it_keeps_the_contract_from_its_folder_or_the_one_above(root: Path, cls: type[Cub]) -> None:
    for place in (root, root.parent):
        opened = cls(place, 24)
        check_dataset(opened)
        assert (len(opened.train), len(opened.test)) == (6, 6)
    batch = opened.train.batch([0, 5])
    assert batch.ids[0] == "cub/002.Laysan_Albatross/Laysan_Albatross_0003_7"
    assert batch.pixels.shape == (2, 3, 24, 24)
    assert torch.equal(batch.landmarks.isnan().any(-1).sum(1), torch.tensor([8, 8]))


def test_classes_are_the_species_that_are_there_in_their_order(root: Path) -> None:
    assert (
        Cub.categories_in(root) == Cub(root, 8).classes == ("laysan_albatross", "crested_auklet", "common_yellowthroat")
    )
    shutil.rmtree(root / "images" / tiny_cub.SPECIES[5])
    cub = Cub(root, 8)
    assert cub.categories == ("laysan_albatross", "common_yellowthroat")
    assert cub.test.labels.tolist() == [0, 0, 1, 1]


def test_boxes_and_landmarks_lie_where_the_pixels_go(root: Path) -> None:
    """The centre of mass of a white square is the landmark that was put at its middle pixel, 7 10 as MATLAB counts."""
    path = root / "parts/part_locs.txt"
    path.write_text(path.read_text().replace("14.0 10.0 1", "7.0 10.0 1", 1))
    for cls, box in ((Cub, (2.0, 1.0, 41.0, 25.0)), (CubCrops, (2.0, 1.0, 41.0, 25.0))):
        boxes = root / "bounding_boxes.txt"
        boxes.write_text(boxes.read_text().replace("3 11.0 5.0 30.0 20.0", "3 3.0 2.0 38.0 23.0", 1))
        batch = cls(root, 120).train.batch([0])
        grey, along = batch.pixels[0].mean(0), torch.arange(120) + 0.5
        grey = grey * (grey > 0.5)
        centre = torch.stack([(grey.sum(0) * along).sum(), (grey.sum(1) * along).sum()]) / grey.sum()
        torch.testing.assert_close(batch.landmarks[0, 1], centre, atol=0.35, rtol=0)
        scale = torch.tensor([120 / 60, 120 / 40] * 2)
        expected = torch.tensor([box]) * scale if cls is Cub else torch.tensor([[0.0, 0, 120, 120]])
        torch.testing.assert_close(batch.boxes, expected)


def test_a_box_partly_outside_is_cut_off_at_the_photograph(root: Path) -> None:
    path = root / "bounding_boxes.txt"
    path.write_text(path.read_text().replace("3 11.0 5.0 30.0 20.0", "3 0.0 0.0 61.0 20.0", 1))
    assert Cub(root, 60).train.batch([0]).boxes.tolist() == [[0, 0, 60, 30]]


def test_a_grey_photograph_has_three_equal_channels(root: Path) -> None:
    pixels = Cub(root, 60).train.batch([0]).pixels[0]
    assert pixels.max() > 0.9
    assert torch.equal(pixels[0], pixels[2])


def test_fingerprints_follow_frame_size_split_photographs_and_annotations(root: Path) -> None:
    prints = [Cub(root, 8).train.fingerprint, Cub(root, 8).test.fingerprint, CubCrops(root, 8).train.fingerprint,
              Cub(root, 9).train.fingerprint]  # fmt: skip
    assert Cub(root.parent, 8).train.fingerprint == prints[0]
    path = root / "parts/part_locs.txt"
    path.write_text(path.read_text().replace("14.0 10.0 1", "14.0 11.0 1", 1))
    prints.append(Cub(root, 8).train.fingerprint)
    (root / "images" / tiny_cub.BIRDS[0].name).write_bytes(
        (root / "images" / tiny_cub.BIRDS[0].name).read_bytes() + b"\0"
    )
    prints.append(Cub(root, 8).train.fingerprint)
    assert len(set(prints)) == 6


def test_masks_of_birds_are_in_the_frame_of_the_image(root: Path) -> None:
    cub = CubCrops(root, 30)
    with pytest.raises(InputError, match=r"no folder .*segmentations; unpack segmentations.tgz there"):
        cub.train.bird_masks([0])
    mask = np.zeros((40, 60), np.uint8)
    mask[4:25, 10:25] = 204  # drawn by four of five
    mask[4:25, 25:41] = 51
    path = root.parent / "segmentations" / Path(tiny_cub.BIRDS[0].name).with_suffix(".png")
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), mask)
    found = cub.train.bird_masks([0])[0]
    assert found[:, :13].all()
    assert not found[:, 16:].any()
    cv2.imwrite(str(path), mask[:30])
    with pytest.raises(InputError, match=r"is 60 x 30 px, expected 60 x 40 as Laysan_Albatross_0003_7.jpg"):
        cub.train.bird_masks([0])


def test_tasks_are_logits_of_species_and_birds_against_random_images(root: Path, tmp_path: Path) -> None:
    assert "cub/bird" in REGISTRY.tasks_of("cub")
    assert "cub/laysan_albatross" not in REGISTRY.tasks_of("cub")
    assert REGISTRY.tasks_with_others("cub") == []
    other = tmp_path / "random"
    other.mkdir()
    for i in range(4):
        cv2.imwrite(str(other / f"{i}.png"), np.full((30, 50, 3), 40 * i, np.uint8))
    workbench = Workbench(REGISTRY, root.parent)
    species = [f"cub/multi:{name}" for name in ("laysan_albatross", "crested_auklet", "common_yellowthroat")]
    assert workbench.expand(["cub/multi:*"]) == species
    with pytest.raises(InputError, match=r"no images of it; it has laysan_albatross, crested_auklet, common_yellow"):
        workbench.expand(["cub/multi:sooty_albatross"])
    workbench = Workbench(REGISTRY, root.parent, other=other)
    assert workbench.expand(["cub/*"]) == ["cub/bird"]
    view = workbench.dataset("cub", 24, "bird")
    assert view.train.labels.tolist() == [1] * 6 + [0] * 2
    assert view.classes == ("other", "bird")
    assert torch.equal(view.train.batch([0]).boxes, torch.tensor([[0.0, 0, 24, 24]]))
    assert view.train.batch([7]).landmarks.isnan().all()
    assert workbench.dataset("cub", 24, "").classes[0] == "laysan_albatross"


def test_the_real_photographs_are_read_as_published() -> None:
    if not SAMPLE.is_dir():
        pytest.skip("no real photographs of birds beside the repository")
    with pytest.warns(UserWarning, match="274 of 11,788 photographs, of 5 of 200 species"):
        cub, crops = Cub(SAMPLE, 64), CubCrops(SAMPLE, 64)
    check_dataset(cub)
    check_dataset(crops)
    assert (len(cub.train), len(cub.test)) == (150, 124)
    for split in (cub.train, cub.test):
        batch = split.batch(range(len(split)))
        low, high = batch.boxes[:, None, :2] - 6, batch.boxes[:, None, 2:] + 6
        known = batch.landmarks.isfinite().all(-1)
        inside = ((batch.landmarks >= low) & (batch.landmarks <= high)).all(-1)
        assert inside[known].float().mean() > 0.99
        assert 9 < known.sum(1).float().mean() < 13
