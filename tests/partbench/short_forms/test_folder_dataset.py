"""Datasets in folders: splits, boxes and masks at their places, other images, and one line for what is wrong."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from partbench import Dataset, InputError, check_dataset, folder_dataset

HEADER = "image,part,x0,y0,x1,y1"


def picture(path: Path, height: int = 20, width: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(zlib.crc32(path.as_posix().encode()))
    Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for category in ("crow", "robin", "other"):
        for i in range(4):
            picture(tmp_path / "birds" / category / f"{i}.png")
    return tmp_path / "birds"


def opened(folder: Path, size: int = 10, **given: Any) -> Dataset:
    return folder_dataset("birds", folder, default_performer="small_vgg", **given)(None, size)


def test_a_folder_of_classes_is_a_dataset_whose_halves_alternate(folder: Path) -> None:
    cls = folder_dataset("birds", folder, default_performer="small_vgg")
    assert (cls.classes, cls.categories, cls.needs_root) == (("crow", "robin", "other"), ("crow", "robin"), False)
    dataset = cls(None, 10)
    check_dataset(dataset)
    assert dataset.train.batch(range(6)).ids == tuple(
        f"{c}/{i}.png" for c in ("crow", "robin", "other") for i in (0, 2)
    )
    assert dataset.test.batch([5, 0]).ids == ("other/3.png", "crow/1.png")
    assert dataset.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    batch = dataset.test.batch([0])
    assert (batch.boxes, batch.masks, batch.part_boxes, batch.landmarks) == (None, None, None, None)
    assert dataset.part_names == ()


def test_folders_train_and_test_are_the_splits(folder: Path, tmp_path: Path) -> None:
    for split, count in (("train", 3), ("test", 1)):
        for i in range(count):
            picture(tmp_path / "split" / split / "crow" / f"{i}.png")
    dataset = opened(tmp_path / "split")
    assert (len(dataset.train), dataset.test.batch([0]).ids) == (3, ("test/crow/0.png",))


def test_a_folder_by_data_root_has_the_categories_that_were_given(folder: Path) -> None:
    cls = folder_dataset("birds", default_performer="small_vgg", categories=("robin", "other"))
    assert (cls.categories, cls.classes, cls.needs_root) == (("robin",), ("robin", "other"), True)
    assert len(cls(folder, 10).test) == 4
    with pytest.raises(InputError, match="birds needs --data-root DIR; expected a folder with the sub-folders robin"):
        cls(None, 10)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_boxes_are_scaled_with_their_image_and_their_centres_are_landmarks(folder: Path, form: str) -> None:
    rows = [
        ("crow/1.png", "beak", 4, 2, 8, 6),
        ("crow/1.png", "", 0, 0, 40, 20),
        ("crow/3.png", "wing", 30, 10, 50, 20),
    ]
    if form == "csv":
        (folder / "boxes.csv").write_text("\n".join([HEADER, *(",".join(map(str, row)) for row in rows)]))
    else:
        keys = HEADER.split(",")
        (folder / "boxes.json").write_text(json.dumps([dict(zip(keys, row, strict=True)) for row in rows]))
    dataset = opened(folder)
    check_dataset(dataset)
    assert dataset.part_names == dataset.landmark_names == ("beak", "wing")
    batch, nan = dataset.test.batch([0, 1]), float("nan")
    expected = [[[1, 1, 2, 3], [nan] * 4], [[nan] * 4, [7.5, 5, 10, 10]]]  # px of 40 x 20 to px of 10 x 10
    torch.testing.assert_close(batch.part_boxes, torch.tensor(expected), equal_nan=True)
    torch.testing.assert_close(batch.boxes, torch.tensor([[0.0, 0, 10, 10], [nan] * 4]), equal_nan=True)
    torch.testing.assert_close(batch.landmarks[0, 0], torch.tensor([1.5, 2.0]))
    assert batch.masks is None


def test_masks_of_parts_lie_where_the_image_shows_them(folder: Path) -> None:
    mask = np.zeros((20, 40), np.uint8)
    mask[4:8, 20:40] = 1
    path = folder / "masks" / "crow" / "1" / "beak.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(mask).save(path)
    dataset = opened(folder)
    check_dataset(dataset)
    batch = dataset.test.batch([0, 1])
    expected = torch.zeros(2, 1, 10, 10, dtype=torch.bool)
    expected[0, 0, 2:4, 5:10] = True
    assert torch.equal(batch.masks, expected)
    torch.testing.assert_close(batch.landmarks[0, 0], torch.tensor([7.5, 3.0]))
    assert batch.landmarks[1].isnan().all()
    assert batch.part_boxes is None


def test_a_palette_names_its_parts_by_value(folder: Path) -> None:
    values = np.zeros((20, 40), np.uint8)
    values[:10], values[10:, :20], values[0, 0] = 2, 1, 255
    image = Image.fromarray(values, mode="P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    (folder / "masks" / "crow").mkdir(parents=True)
    image.save(folder / "masks" / "crow" / "1.png")
    masks = opened(folder, 20, parts=("tail", "wing")).test.batch([0]).masks
    assert masks[0, 0, 10:, :10].all()
    assert masks[0, 0].sum() == 100
    assert masks[0, 1].sum() == 200
    with pytest.raises(InputError, match="holds palettes; name the parts"):
        opened(folder)
    with pytest.raises(InputError, match="has the value 2, expected 0 to 1, or 255"):
        opened(folder, parts=("tail",)).test.batch([0])


def test_the_fingerprint_follows_images_and_annotations(folder: Path) -> None:
    (folder / "boxes.csv").write_text(f"{HEADER}\ncrow/1.png,beak,4,2,8,6")
    first = opened(folder)
    (folder / "boxes.csv").write_text(f"{HEADER}\ncrow/1.png,beak,4,2,8,7")
    second = opened(folder)
    assert first.test.fingerprint != second.test.fingerprint
    assert first.train.fingerprint == second.train.fingerprint == opened(folder).train.fingerprint
    assert opened(folder, 12).train.fingerprint != second.train.fingerprint
    picture(folder / "crow" / "0.png", height=30)
    assert opened(folder).train.fingerprint != second.train.fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEADER}\nhawk/1.png,beak,1,1,2,2", "no image 'hawk/1.png'"),
        ("image,part\ncrow/1.png,beak", "expected rows with"),
        (f"{HEADER}\ncrow/1.png,beak,5,1,2,2", r"line 2: x0 '5', .*expected numbers with x0 < x1"),
        (f"{HEADER}\ncrow/1.png,beak,1,1,nan,2", "expected numbers"),
        (f"{HEADER}\ncrow/1.png,beak,1,1", "expected numbers"),
        (f"{HEADER}\ncrow/1.png,claw,1,1,2,2", "has parts claw; expected beak"),
    ],
)
def test_wrong_boxes_are_named_with_their_line(folder: Path, text: str, said: str) -> None:
    (folder / "boxes.csv").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        opened(folder, parts=("beak",))
    assert "\n" not in str(caught.value)


def test_wrong_folders_and_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder, or categories"):
        folder_dataset("birds", default_performer="small_vgg")
    with pytest.raises(InputError, match="holds no sub-folder of images"):
        folder_dataset("birds", tmp_path / "none", default_performer="small_vgg")
    with pytest.raises(InputError, match="hawk holds no train images"):
        opened(folder, categories=("hawk",))
    with pytest.raises(InputError, match="a class named 'a b'"):
        opened(folder, categories=("a b",))
    mask = folder / "masks" / "crow" / "1" / "beak.png"
    picture(mask)
    with pytest.raises(InputError, match="is RGB, expected a palette or grey levels"):
        opened(folder).test.batch([0])
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(mask)
    with pytest.raises(InputError, match="is 3 x 3 px, its image 40 x 20; expected the same"):
        opened(folder).test.batch([0])
    mask.write_text("no image")
    with pytest.raises(InputError, match=r"cannot decode .*beak\.png"):
        opened(folder).test.batch([0])


@pytest.mark.parametrize("names", ["robin", 3, [3], [""], ["a", "a"]])
@pytest.mark.parametrize("argument", ["categories", "parts"])
def test_names_that_are_no_list_of_different_names_are_refused(names: object, argument: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"x: {argument} are .*, expected a list of different names"):
        folder_dataset("x", tmp_path, default_performer="small_vgg", **{argument: names})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": 3}, "expected a class attribute `name`, a text; it is 3"),
        ({"name": "two words"}, "its name is 'two words'; expected no spaces"),
        ({"folder": 3}, "x: folder is 3, expected the path of a folder of images"),
        ({"folder": ""}, "x: folder is '', expected the path"),
        ({"default_performer": None}, "its default_performer is None, expected the name of a performer"),
        ({"version": 1}, "its version is 1, expected a text"),
    ],
)
def test_other_arguments_are_refused_where_the_dataset_is_defined(folder: Path, given: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        folder_dataset(**{"name": "x", "folder": folder, "default_performer": "small_vgg", **given})
