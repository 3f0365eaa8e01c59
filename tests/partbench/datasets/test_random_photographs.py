"""A folder of random photographs: found, halved, stretched; a wrong folder is told in one line."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from partbench import InputError
from partbench.datasets.random_photographs import halves


def photograph(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((40, 60, 3), value, np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, name in enumerate(("a.jpg", "b.png", "deep/c.JPEG", "d.jpg", "notes.txt")):
        if name.endswith("txt"):
            (tmp_path / name).write_text("no image")
        else:
            cv2_name = tmp_path / name.lower()
            photograph(cv2_name, 50 * i)
            cv2_name.rename(tmp_path / name)
    return tmp_path


def test_every_second_photograph_by_name_is_for_testing(folder: Path) -> None:
    train, test = halves(folder, 16)
    assert train.names == ["a.jpg", "d.jpg"]
    assert test.names == ["b.png", "deep/c.JPEG"]


def test_photographs_are_stretched_whole(folder: Path) -> None:
    batch = halves(folder, 16)[1].batch([1, 0])
    assert batch.pixels.shape == (2, 3, 16, 16)
    assert batch.pixels[:, 0, 8, 8].tolist() == pytest.approx([100 / 255, 50 / 255], abs=0.01)
    assert batch.boxes is not None
    assert batch.boxes.tolist() == [[0, 0, 16, 16]] * 2
    assert batch.ids == ("other/deep/c.JPEG", "other/b.png")


def test_the_fingerprint_follows_names_sizes_and_the_size_of_images(folder: Path) -> None:
    before = halves(folder, 16)[0].fingerprint
    assert halves(folder, 16)[0].fingerprint == before
    assert len({before, halves(folder, 17)[0].fingerprint, halves(folder, 16)[1].fingerprint}) == 3
    (folder / "d.jpg").write_bytes((folder / "d.jpg").read_bytes() + b"more")
    assert halves(folder, 16)[0].fingerprint != before


def test_a_folder_that_is_missing_or_holds_no_images_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*; --other must name a folder of random photographs"):
        halves(tmp_path / "none", 16)
    with pytest.raises(InputError, match="holds 0 images"):
        halves(tmp_path, 16)


def test_a_broken_photograph_is_named(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"no jpeg")
    with pytest.raises(InputError, match=r"cannot decode .*a\.jpg"):
        halves(tmp_path, 16)[0].batch([0])


def test_links_out_of_the_folder_or_to_nothing_and_names_that_are_no_text_are_refused(folder: Path) -> None:
    outside = folder.parent / "outside.jpg"
    photograph(outside, 9)
    link = folder / "deep" / "link.jpg"
    link.symlink_to(folder / "a.jpg")
    assert sum(map(len, halves(folder, 16))) == 5
    for target in (outside, folder / "nothing.jpg"):
        link.unlink()
        link.symlink_to(target)
        with pytest.raises(InputError, match=r"link\.jpg is a link to .*, expected a file in .*; copy the file itself"):
            halves(folder, 16)
    link.unlink()
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"")
    with pytest.raises(InputError, match=r"\\udcff\.jpg' is no name that can be printed; rename the file"):
        halves(folder, 16)
