"""The full releases of ADE20K, whole and broken."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_places
from PIL import Image
from tiny_places import Scene

from partbench import InputError
from partbench.datasets.places.full_release import FullRelease

SCENES = [Scene(1, "bedroom", "training"), Scene(2, "bedroom", "training")]


def released(root: Path, year: int) -> tuple[FullRelease, Path]:
    """A release of two bedrooms, and the folder of the room."""
    release = FullRelease(tiny_places.full(root, year, SCENES))
    return release, release.photos("training")[0].path.parent


def read(release: FullRelease) -> None:
    for photo in release.photos("training"):
        release.labels(photo)
        release.regions(photo)


def refused(release: FullRelease) -> str:
    with pytest.raises(InputError) as caught:
        read(release)
    return str(caught.value)


@pytest.mark.parametrize("year", [2016, 2021])
def test_labels_of_texts_are_those_of_pixels(year: int, tmp_path: Path) -> None:
    release, _ = released(tmp_path, year)
    photos = release.photos("training")
    assert [photo.name for photo in photos] == ["ADE_train_00000001", "ADE_train_00000002"]
    assert release.photos("validation") == []
    for photo, scene in zip(photos, SCENES, strict=True):
        regions = release.regions(photo)
        assert release.labels(photo) == {"wall", "floor, flooring", "bed"}
        for code in (1, 4, 8):
            (level,) = [found for found, label in regions.labels.items() if label == tiny_places.LABELS[code]]
            assert np.array_equal(regions.codes == level, scene.codes() == code)


@pytest.mark.parametrize(("year", "suffix"), [(2016, "_atr.txt"), (2021, ".json"), (2016, "_seg.png")])
def test_a_missing_annotation_is_named(year: int, suffix: str, tmp_path: Path) -> None:
    release, folder = released(tmp_path, year)
    path = folder / f"ADE_train_00000002{suffix}"
    path.unlink()
    assert refused(release) == f"{path} missing, of 2 in all; copy it again"


def test_annotations_without_a_photograph_are_left_out_with_a_warning(tmp_path: Path) -> None:
    release, folder = released(tmp_path, 2016)
    (folder / "ADE_train_00000001.jpg").unlink()
    with pytest.warns(UserWarning, match="1 annotations without a photograph, first ADE_train_00000001; they are not"):
        assert len(release.photos("training")) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("001 # 0 # 0", "line 2: '001 # 0 # 0', expected number # level of part # occluded # name"),
        ("one # 0 # 0 # bed # bed # \"\"", "line 2: 'one # 0"),
        ("001 # 0 # 0 #  # bed # \"\"", "line 2: '001 # 0"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_2016_is_named(line: str, message: str, tmp_path: Path) -> None:
    release, folder = released(tmp_path, 2016)
    path = folder / "ADE_train_00000001_atr.txt"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], line.encode(), *lines[2:]]))
    assert refused(release).startswith(f"{path} {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"annotation": {"object": [', "line 1, column 28: Expecting value"),
        ("[]", "has no list annotation.object"),
        ('{"annotation": {"object": [{"name": "bed"}]}}', "object 1: {'name': 'bed'}, expected name, name_ndx"),
        ("<!DOCTYPE html><html>", "line 1: an HTML page"),
        ("", "is empty"),
    ],
)
def test_a_wrong_json_of_2021_is_named(text: str, message: str, tmp_path: Path) -> None:
    release, folder = released(tmp_path, 2021)
    path = folder / "ADE_train_00000001.json"
    path.write_text(text)
    assert re.match(rf"{re.escape(str(path))}:? {re.escape(message)}", refused(release))


@pytest.mark.parametrize("year", [2016, 2021])
def test_annotations_of_another_photograph_do_not_fit(year: int, tmp_path: Path) -> None:
    release, folder = released(tmp_path, year)
    path = folder / "ADE_train_00000001_seg.png"
    pixels = np.array(Image.open(path))
    if year == 2021:
        pixels[..., 1] += 7
    else:
        pixels[..., 2] = np.arange(pixels.shape[1]) * 5
    Image.fromarray(pixels).save(path)
    assert "ADE_train_00000001_seg.png" in refused(release)
    assert refused(release).endswith("copy both again")


def test_a_link_out_of_the_dataset_is_refused(tmp_path: Path) -> None:
    release, folder = released(tmp_path, 2016)
    moved = tmp_path / "elsewhere.jpg"
    shutil.move(folder / "ADE_train_00000001.jpg", moved)
    (folder / "ADE_train_00000001.jpg").symlink_to(moved)
    assert "is a link to" in refused(release)


@pytest.mark.parametrize(("year", "above"), [(2016, 1), (2016, 2), (2021, 1), (2021, 2), (2021, 3)])
def test_a_folder_that_is_a_link_out_of_the_dataset_is_refused(year: int, above: int, tmp_path: Path) -> None:
    release, folder = released(tmp_path, year)
    link = [folder, *folder.parents][above]
    link.rename(tmp_path / "elsewhere")
    link.symlink_to(tmp_path / "elsewhere")
    assert re.search(r"is a link to .*/elsewhere.*, expected a file in .*; copy the file itself", refused(release))


def test_a_photograph_in_two_folders_is_refused(tmp_path: Path) -> None:
    release, folder = released(tmp_path, 2021)
    shutil.copytree(folder, folder.parent / "again" / folder.name)
    assert re.search(
        r"again/.*/ADE_train_00000001.jpg and .*/ADE_train_00000001.jpg have one name; copy", refused(release)
    )
