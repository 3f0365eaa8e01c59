"""The reader of CelebA on tiny folders in the published format, whole and broken."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from partbench import InputError
from partbench.datasets.celeba import CelebA
from partbench.datasets.celeba.layout import ATTRIBUTES, COORDINATES, CelebaFolder

COUNT = 8
PARTITION = "00001122"
ATTRIBUTE_FILE, LANDMARK_FILE = "Anno/list_attr_celeba.txt", "Anno/list_landmarks_align_celeba.txt"
PARTITION_FILE, PHOTOS = "Eval/list_eval_partition.txt", "Img/img_align_celeba"


def sign(photo: int, column: int) -> int:
    return 1 if (photo * 7 + column * column) % 3 == 0 else -1


def point(photo: int, column: int) -> int:
    return 20 + 3 * photo + 11 * column


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Eight photos: four for training, two for validation, two for testing."""
    for name in ("Anno", "Eval", PHOTOS):
        (tmp_path / name).mkdir(parents=True)
    names = [f"{i + 1:06d}.jpg" for i in range(COUNT)]
    rows = [f"{n} {' '.join(f'{sign(i, k):2d}' for k in range(40))}" for i, n in enumerate(names)]
    (tmp_path / ATTRIBUTE_FILE).write_text("\n".join([str(COUNT), " ".join(ATTRIBUTES) + " ", *rows, ""]))
    rows = [f"{n}  {' '.join(f'{point(i, k):3d}' for k in range(10))}" for i, n in enumerate(names)]
    (tmp_path / LANDMARK_FILE).write_text("\n".join([str(COUNT), " ".join(COORDINATES) + " ", *rows, ""]))
    (tmp_path / PARTITION_FILE).write_text("".join(f"{n} {p}\n" for n, p in zip(names, PARTITION, strict=True)))
    for i, name in enumerate(names):
        cv2.imwrite(str(tmp_path / PHOTOS / name), np.full((218, 178, 3), (10 * i, 20 * i, 30 * i), np.uint8))
    return tmp_path


def edit(path: Path, line: int, pattern: str, replacement: str) -> None:
    lines = path.read_text().split("\n")
    changed = re.sub(pattern, replacement, lines[line - 1], count=1)
    assert changed != lines[line - 1]
    path.write_text("\n".join([*lines[: line - 1], changed, *lines[line:]]))


def broken(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        CelebA(root, 32)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_partitions_0_and_2_are_for_training_and_testing(root: Path) -> None:
    celeba = CelebA(root, 32)
    assert celeba.train.names == ["000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg"]
    assert celeba.test.batch([1]).ids == ("celeba/000008",)
    assert (len(celeba.train), len(celeba.test)) == (4, 2)


def test_attributes_are_those_of_the_file_in_alphabetical_order(root: Path) -> None:
    celeba = CelebA(root, 32)
    assert len(celeba.attribute_names) == 40
    assert list(celeba.attribute_names) == sorted(celeba.attribute_names, key=str.lower)
    expected = torch.tensor([[sign(i, k) for k in range(40)] for i in (6, 7)]).float()
    assert torch.equal(celeba.test.attributes, expected)
    assert torch.equal(celeba.test.batch([1, 0]).attributes, expected[[1, 0]])


def test_columns_are_found_by_their_names(root: Path) -> None:
    before = CelebA(root, 32)
    lines = [line.split() for line in (root / ATTRIBUTE_FILE).read_text().splitlines()]
    lines[1] = [*lines[1][20:], *lines[1][:20]]
    lines[2:] = [[name, *values[20:], *values[:20]] for name, *values in lines[2:]]
    (root / ATTRIBUTE_FILE).write_text("\r\n".join(" ".join(line) for line in lines))
    assert torch.equal(CelebA(root, 32).train.attributes, before.train.attributes)


def test_photos_are_stretched_to_a_square_in_red_green_blue(root: Path) -> None:
    batch = CelebA(root, 32).test.batch([0, 1])
    assert batch.pixels.shape == (2, 3, 32, 32)
    for image, i in zip(batch.pixels, (6, 7), strict=True):
        expected = torch.tensor([30.0, 20, 10])[:, None, None] * i / 255
        assert (image - expected).abs().max() < 4 / 255  # JPEG


def test_landmarks_lie_where_the_pixel_goes_when_the_photo_is_stretched(root: Path) -> None:
    """A white square of 9 px on black: its centre of mass in the square image is the landmark."""
    photo = np.zeros((218, 178, 3), np.uint8)
    x, y = point(6, 0), point(6, 1)
    photo[y - 4 : y + 5, x - 4 : x + 5] = 255
    cv2.imwrite(str(root / PHOTOS / "000007.jpg"), photo)
    for size in (64, 112):
        batch = CelebA(root, size).test.batch([0])
        grey = batch.pixels[0].mean(0)
        along = torch.arange(size) + 0.5
        centre = torch.stack([(grey.sum(0) * along).sum(), (grey.sum(1) * along).sum()]) / grey.sum()
        assert batch.landmarks is not None
        torch.testing.assert_close(batch.landmarks[0, 0], centre, atol=0.15, rtol=0)


def test_landmarks_have_names_and_a_closed_form(root: Path) -> None:
    celeba = CelebA(root, 89)  # half of 178
    batch = celeba.test.batch([0])
    assert celeba.landmark_names == ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    expected = [[(point(6, 2 * k) + 0.5) / 2, (point(6, 2 * k + 1) + 0.5) * 89 / 218] for k in range(5)]
    torch.testing.assert_close(batch.landmarks, torch.tensor([expected]))


def test_the_fingerprint_follows_texts_photos_size_and_split(root: Path) -> None:
    prints = {CelebA(root, 32).train.fingerprint, CelebA(root, 33).train.fingerprint, CelebA(root, 32).test.fingerprint}
    assert CelebA(root, 32).train.fingerprint in prints
    edit(root / ATTRIBUTE_FILE, 5, " 1", "-1")
    prints.add(CelebA(root, 32).train.fingerprint)
    (root / PHOTOS / "000001.jpg").write_bytes((root / PHOTOS / "000001.jpg").read_bytes() + b"\0")
    prints.add(CelebA(root, 32).train.fingerprint)
    assert len(prints) == 5


def test_nestings_and_codings_of_others_hold_the_same(root: Path, tmp_path: Path) -> None:
    """torchvision has all files in one folder; Kaggle commas, and the folder of photos twice; some copies 0 for -1."""
    official = CelebA(root, 32)
    flat = tmp_path / "torchvision" / "celeba"
    kaggle = tmp_path / "kaggle"
    shutil.copytree(root / PHOTOS, flat / "img_align_celeba")
    shutil.copytree(root / PHOTOS, kaggle / "img_align_celeba" / "img_align_celeba")
    for name in (ATTRIBUTE_FILE, LANDMARK_FILE, PARTITION_FILE):
        shutil.copy(root / name, flat)
        lines = [line.split() for line in (root / name).read_text().splitlines()]
        lines = [["partition"], *lines] if name == PARTITION_FILE else lines[1:]
        lines[0] = ["image_id", *lines[0]]
        text = "\ufeff" + "\r\n".join(map(",".join, lines)) + "\r\n"
        (kaggle / Path(name).with_suffix(".csv").name).write_text(text, encoding="utf-8", newline="")
    path = kaggle / "list_attr_celeba.csv"
    for place in (flat, flat.parent, kaggle):
        if place is kaggle:
            path.write_text(path.read_text().replace(",-1", ",0"))
        found = CelebA(place, 32)
        for split, of_official in ((found.train, official.train), (found.test, official.test)):
            assert torch.equal(split.attributes, of_official.attributes)
            assert torch.equal(split.batch([0, 1]).landmarks, of_official.batch([0, 1]).landmarks)
            assert torch.equal(split.batch([0, 1]).pixels, of_official.batch([0, 1]).pixels)
            assert (split.fingerprint == of_official.fingerprint) is (place is not kaggle)
    edit(path, 4, ",0", ",-1")
    assert broken(kaggle) == f"{path} line 2: Arched_Eyebrows is '0', expected 1 or -1; copy it again"
    edit(path, 4, ",-1", ",0")
    edit(path, 5, ",0", ",")
    assert broken(kaggle) == f"{path} line 5: Arched_Eyebrows is '', expected 1 or -1; copy it again"


def test_a_page_saved_in_place_of_a_file_is_told(root: Path) -> None:
    page = "<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head></html>"
    (root / LANDMARK_FILE).write_text(page)
    assert broken(root).startswith(f"{root / LANDMARK_FILE} line 1: an HTML page, which a site sent in place of the")
    shutil.rmtree(root / PHOTOS)
    (root / "Img/img_align_celeba.zip").write_text(page)
    shutil.copy(root / ATTRIBUTE_FILE, root / LANDMARK_FILE)
    with pytest.raises(InputError, match=r"img_align_celeba.zip line 1: an HTML page"):
        CelebaFolder(root).photos()


def test_no_folder_says_which_is_wanted(tmp_path: Path) -> None:
    assert "name the folder that holds Anno/" in broken(tmp_path / "nowhere")
    assert "Anno" in broken(tmp_path)
    with pytest.raises(InputError, match="celeba needs --data-root"):
        CelebA(None, 32)


@pytest.mark.parametrize("name", [ATTRIBUTE_FILE, LANDMARK_FILE, PARTITION_FILE])
def test_a_missing_text_file_is_named(root: Path, name: str) -> None:
    (root / name).unlink()
    assert f"{root / name} is missing" in broken(root)


@pytest.mark.parametrize(
    ("name", "line", "pattern", "replacement", "expected"),
    [
        (ATTRIBUTE_FILE, 1, "8", "9", "line 1: '9' photos, but 8 rows follow"),
        (ATTRIBUTE_FILE, 1, "8", "many", "line 1: 'many' photos"),
        (ATTRIBUTE_FILE, 2, "Young", "", "line 2: no column Young"),
        (ATTRIBUTE_FILE, 2, "Young", "Young Old", "line 2: 41 columns, expected 40"),
        (ATTRIBUTE_FILE, 4, r"-1$|1$", "0", "line 4: Young is '0', expected 1 or -1"),
        (ATTRIBUTE_FILE, 4, r"^(\S+) +\S+", r"\1 +1", "line 4: 5_o_Clock_Shadow is '+1'"),
        (ATTRIBUTE_FILE, 7, r" +\S+$", "", "line 7: 39 values, expected 40"),
        (ATTRIBUTE_FILE, 7, r"^.*$", "", "line 7: 0 values, expected 40"),
        (ATTRIBUTE_FILE, 5, "000003", "000002", "line 5: 000002.jpg a second time"),
        (LANDMARK_FILE, 1, "8", "7", "line 1: '7' photos, but 8 rows follow"),
        (LANDMARK_FILE, 2, "nose_x", "nose", "line 2: no column nose_x"),
        (LANDMARK_FILE, 6, r"\d+$", "9.5", "line 6: rightmouth_y is '9.5', expected a whole number"),
        (LANDMARK_FILE, 6, r"\d+$", "9" * 400, "line 6: rightmouth_y is '999"),
        (LANDMARK_FILE, 6, r"\s\d+$", "", "line 6: 9 values, expected 10"),
        (LANDMARK_FILE, 4, "000002", "000009", "line 4: 000009.jpg, but list_attr_celeba.txt has 000002.jpg in line 4"),
        (PARTITION_FILE, 3, "0$", "3", "line 3: partition is '3', expected 0, 1 or 2"),
        (PARTITION_FILE, 3, " 0$", "", "line 3: 0 values, expected 1"),
        (PARTITION_FILE, 2, "000002", "000003", "line 2: 000003.jpg, but list_attr_celeba.txt has 000002.jpg"),
    ],
)  # fmt: skip
def test_a_broken_line_is_named(
    root: Path, name: str, line: int, pattern: str, replacement: str, expected: str
) -> None:
    edit(root / name, line, pattern, replacement)
    message = broken(root)
    assert message.startswith(f"{root / name} {expected}")


def test_too_few_rows_of_the_partition_are_told(root: Path) -> None:
    path = root / PARTITION_FILE
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert f"{path} has 7 rows, but {root / ATTRIBUTE_FILE} has 8" in broken(root)


def test_a_partition_without_test_photos_is_told(root: Path) -> None:
    path = root / PARTITION_FILE
    path.write_text(path.read_text().replace(" 2", " 1"))
    assert f"{path} has no photo of partition 2 (test)" in broken(root)


def test_photos_that_are_missing_are_left_out_and_counted_with_the_line_of_the_first(root: Path) -> None:
    whole = CelebA(root, 32)
    for name in ("000002.jpg", "000004.jpg"):
        (root / PHOTOS / name).unlink()
    told = (
        r"img_align_celeba holds 2 of 4 photos for train, first missing 000002.jpg \(list_eval_partition.txt line 2\)"
    )
    with pytest.warns(UserWarning, match=told):
        celeba = CelebA(root, 32)
    assert celeba.train.names == ["000001.jpg", "000003.jpg"]
    assert celeba.train.fingerprint != whole.train.fingerprint
    assert celeba.test.fingerprint == whole.test.fingerprint
    for name in ("000007.jpg", "000008.jpg"):
        (root / PHOTOS / name).unlink()
    with pytest.warns(UserWarning, match="for train"):
        assert "holds 0 of 2 photos for test, first missing 000007.jpg" in broken(root)


def test_photos_of_the_validation_partition_may_be_missing(root: Path) -> None:
    (root / PHOTOS / "000005.jpg").unlink()
    assert len(CelebA(root, 32).train) == 4


def test_a_missing_folder_of_photos_is_told(root: Path) -> None:
    for photo in (root / PHOTOS).iterdir():
        photo.unlink()
    (root / PHOTOS).rmdir()
    assert "img_align_celeba.zip" in broken(root)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8 no more", b"text"])
def test_a_photo_that_cannot_be_decoded_is_named(root: Path, content: bytes) -> None:
    (root / PHOTOS / "000008.jpg").write_bytes(content)
    celeba = CelebA(root, 32)
    assert len(celeba.test.batch([0])) == 1
    with pytest.raises(InputError, match=r"000008\.jpg"):
        celeba.test.batch([0, 1])


def test_a_photo_of_another_size_is_not_aligned(root: Path) -> None:
    cv2.imwrite(str(root / PHOTOS / "000008.jpg"), np.zeros((100, 80, 3), np.uint8))
    with pytest.raises(InputError, match=r"000008\.jpg is 80 x 100 px, expected 178 x 218"):
        CelebA(root, 32).test.batch([1])
