"""The dataset of rooms on tiny folders in every published form."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_places
import torch
from tiny_places import HEIGHT, WIDTH

from partbench import InputError, check_dataset
from partbench.cli.data_check import examined
from partbench.datasets.places import Places
from partbench.opening import Workbench
from partbench.plugin.dataset import silent
from partbench.registry import load

pytestmark = pytest.mark.filterwarnings("ignore:places:UserWarning")
REGISTRY = load()
PARTS = ("floor", "wall", "bathtub", "bed", "table")  # the first two are in every room, the others in one
FORMS: dict[str, Callable[[Path], Path]] = {
    "challenge": tiny_places.challenge,
    "2016": lambda root: tiny_places.full(root, 2016),
    "2021": lambda root: tiny_places.full(root, 2021),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_ade20k_gives_the_same_images_and_masks(form: str, tmp_path: Path) -> None:
    place = FORMS[form](tmp_path)
    for root in (place, tmp_path):
        places = Places(root, 24)
        check_dataset(places)
    assert places.categories == Places.categories_in(tmp_path) == ("bathroom", "bedroom", "kitchen")
    assert places.part_names == PARTS
    assert (len(places.train), len(places.test)) == (9, 9)
    scene = next(s for s in tiny_places.scenes() if s.split == "validation" and s.room == "bedroom")
    row = next(i for i, photo in enumerate(places.test.photos) if photo.name == scene.name)
    batch = places.test.batch([row])
    assert batch.ids == (f"places/{scene.name}",)
    assert places.classes[int(batch.labels[0])] == "bedroom"
    rows, columns = ((np.arange(24) * side + side / 2) // 24 for side in (HEIGHT, WIDTH))
    codes = scene.codes()[np.ix_(rows.astype(int), columns.astype(int))]
    for name, code in {"wall": 1, "floor": 4, "bed": 8, "table": 15}.items():
        assert np.array_equal(batch.masks[0, PARTS.index(name)].numpy(), codes == code), name


@pytest.mark.parametrize("form", FORMS)
def test_threads_read_the_same_images_and_masks(form: str, tmp_path: Path) -> None:
    FORMS[form](tmp_path)
    alone, shared = (Places(tmp_path, 24).train for _ in range(2))
    shared._memory.limit = 3000  # of some images: the others are read again
    rows = [[i % 9, (i + 4) % 9, i % 9] for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(shared.batch, rows))
    for some, batch in zip(rows, found, strict=True):
        expected = alone.batch(some)
        assert torch.equal(batch.pixels, expected.pixels)
        assert torch.equal(batch.masks, expected.masks)


def test_masks_lie_on_the_pixels_of_their_objects(tmp_path: Path) -> None:
    places = Places(tiny_places.challenge(tmp_path), 48)
    batch = places.train.batch(range(9))
    for part, code in ((0, 4), (1, 1), (3, 8)):
        inner = torch.nn.functional.avg_pool2d(batch.masks[:, part : part + 1].float(), 5, 1, 2) == 1
        colours = batch.pixels.movedim(1, -1)[inner[:, 0]]
        expected = torch.tensor([code * 5 % 200, code * 31 % 256, code * 17 % 256]) / 255
        assert len(colours) > 50
        assert (colours - expected).abs().max() < 0.12  # JPEG


@pytest.mark.parametrize("layout", [tiny_places.easy, tiny_places.standard])
def test_places365_is_for_training_and_ade20k_for_testing_where_both_are_there(
    layout: Callable[[Path], Path], tmp_path: Path
) -> None:
    layout(tmp_path)
    alone = Places(tmp_path, 16)
    check_dataset(alone)
    assert (alone.part_names, alone.train.batch([0]).masks, alone.test.batch([0]).masks) == ((), None, None)
    assert (len(alone.train), len(alone.test)) == (9, 9)
    tiny_places.challenge(tmp_path)
    with pytest.warns(UserWarning, match="9 photographs of Places365 to train, 9 of ADE20K to test; no photographs of"):
        both = Places(tmp_path, 16)
    assert both.part_names == PARTS
    assert both.train.batch([0]).masks is None
    assert both.train.fingerprint != alone.train.fingerprint
    masks = both.test.batch([0, 3]).masks
    assert masks is not None
    assert masks.shape == (2, 5, 16, 16)


def test_rooms_are_those_of_both_splits(tmp_path: Path) -> None:
    kept = [s for s in tiny_places.scenes() if not (s.room == "kitchen" and s.split == "validation")]
    root = tiny_places.challenge(tmp_path, kept)
    assert Places.categories_in(root) == ("bathroom", "bedroom")
    places = Places(root, 16)
    assert sorted({photo.room for photo in places.train.photos}) == ["bathroom", "bedroom"]
    with pytest.raises(InputError, match="no photograph of a room for validation; copy the validation split too"):
        Places(tiny_places.challenge(tmp_path / "a", [s for s in kept if s.split == "training"]), 16)


def test_fingerprints_follow_photographs_annotations_size_and_split(tmp_path: Path) -> None:
    root = tiny_places.challenge(tmp_path)
    prints = {Places(root, 16).train.fingerprint, Places(root, 16).test.fingerprint, Places(root, 17).train.fingerprint}
    for path in (
        sorted((root / "annotations/training").iterdir())[:1] + sorted((root / "images/training").iterdir())[:1]
    ):
        path.write_bytes(path.read_bytes() + b"\0")
        prints.add(Places(root, 16).train.fingerprint)
    assert len(prints) == 5


def test_an_annotation_of_another_size_is_named(tmp_path: Path) -> None:
    root = tiny_places.challenge(tmp_path)
    path = root / "annotations/validation/ADE_val_00000010.png"
    tiny_places.image(path, np.ones((HEIGHT, WIDTH - 1), np.uint8))
    with pytest.raises(InputError, match=r"ADE_val_00000010.png is 47 x 36 px, expected 48 x 36 as ADE_val_00000010"):
        Places(root, 16).test.batch([0])


def test_tasks_are_logits_and_single_rooms_against_random_photographs(tmp_path: Path) -> None:
    root = tiny_places.challenge(tmp_path)
    other = tmp_path / "random"
    other.mkdir()
    for i in range(4):
        cv2.imwrite(str(other / f"{i}.png"), np.full((30, 50, 3), 40 * i, np.uint8))
    workbench = Workbench(REGISTRY, root)
    assert workbench.expand(["places/multi:*"]) == [
        f"places/multi:{room}" for room in ("bathroom", "bedroom", "kitchen")
    ]
    view = Workbench(REGISTRY, root, other=other).dataset("places", 16, "bedroom")
    assert view.test.labels.tolist() == [1] * 3 + [0] * 2
    assert not view.test.batch([4]).masks.any()


def test_a_check_counts_rooms_and_reads_every_image(tmp_path: Path) -> None:
    root = tiny_places.full(tmp_path, 2016)
    rows = {row["name"]: row for row in examined(REGISTRY, "places", root, True, silent)}
    assert rows["categories"] == {"name": "categories", "status": "note", "found": "3, published 10"}
    assert rows["train"]["found"] == "9; no count is published"
    assert rows["test images"]["status"] == "ok"
    next((root / "images/validation/b/bedroom").glob("*_seg.png")).write_bytes(b"\x89PNG\r\n\x1a\n")
    rows = {row["name"]: row for row in examined(REGISTRY, "places", root, True, silent)}
    assert rows["test images"]["status"] == "broken"
    assert "_seg.png (8 bytes); copy it again" in rows["test images"]["found"]
