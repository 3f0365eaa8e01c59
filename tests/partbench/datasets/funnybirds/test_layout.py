"""Damaged folders of FunnyBirds end in one line that names the file and the entry."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import tiny_funnybirds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partbench import InputError
from partbench.datasets.funnybirds import FunnyBirds

pytestmark = pytest.mark.filterwarnings("ignore:funnybirds:UserWarning")
TEXTS = ("classes.json", "parts.json", "dataset_train.json", "dataset_test.json")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tiny_funnybirds.write(tmp_path)


def refused(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        FunnyBirds(root, 16)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_is_missing_or_a_page_or_no_json_is_named(root: Path, name: str) -> None:
    whole = (root / name).read_bytes()
    (root / name).write_bytes(whole[:-3])
    assert re.search(rf"{name} line 1, column \d+: .*; copy it again", refused(root))
    (root / name).write_bytes(b"<html>")
    assert f"{name} line 1: an HTML page" in refused(root)
    (root / name).write_bytes(b"[\n\xff" + whole)
    assert f"{name} line 2: byte 0xff is no UTF-8 text" in refused(root)
    (root / name).write_bytes(b"[" * 100_000)
    assert f"{root / name}" in refused(root)
    (root / name).unlink()
    assert re.search(rf"{name}( is missing; copy the whole dataset|; name)", refused(root))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("classes.json", {"0": 1}, "expected a list of entries"),
        ("classes.json", [], "is [], expected a list of entries"),
        ("classes.json", [{"class_idx": 0}, {"class_idx": 0}], "entry 2: class_idx 0 a second time"),
        ("classes.json", [{"class_idx": 0}, {"class_idx": 50}], "entry 2: class_idx is 50, expected class_idx from 0"),
        ("classes.json", [{"class_idx": 5}], "no folder of images, such as train/5/"),
        ("parts.json", {"beak": [], "eye": []}, "is of beak, eye, expected beak, eye, foot, tail, wing"),
        ("dataset_train.json", [{"class_idx": 0}, 7], "entry 2: 7, expected class_idx from 0 to 49"),
        ("dataset_train.json", [{"class_idx": True}], "entry 1: class_idx is True"),
        ("dataset_train.json", [{"class_idx": 9}], "lists no image of the classes that are there"),
        ("dataset_test.json", [{"class_idx": 7}] * 3, "000000.png and 1 other of 3 in dataset_test.json (entry 1) mi"),
    ],
)
def test_a_wrong_entry_is_named(root: Path, name: str, content: Any, expected: str) -> None:
    (root / name).write_text(json.dumps(content))
    assert expected in refused(root)
    assert str(root) in refused(root)


@pytest.mark.parametrize("folder", ["train", "test_part_map"])
def test_missing_images_are_named_with_their_entry_and_strangers_are_a_warning(root: Path, folder: str) -> None:
    number = {"train": 4, "test_part_map": 2}[folder]
    path = root / folder / "31" / f"{number:06d}.png"
    path.rename(path.with_name("000099.png"))
    assert re.search(rf"{path} of \d in dataset_\w+.json \(entry {number + 1}\) missing; copy {folder}/", refused(root))
    shutil.copy(path.with_name("000099.png"), path)
    with pytest.warns(UserWarning, match=r"1 files that dataset_\w+.json does not list, first 31/000099.png"):
        FunnyBirds(root, 16)


def test_a_class_without_folders_is_left_out_and_counted(root: Path) -> None:
    for folder in ("train", "train_part_map", "test", "test_part_map"):
        shutil.rmtree(root / folder / "7")
    with pytest.warns(UserWarning, match="4 of 50,000 train and 2 of 500 test images, of 2 of 50 classes"):
        birds = FunnyBirds(root, 16)
    assert birds.categories == FunnyBirds.categories_in(root) == ("class_00", "class_31")
    assert birds.train.batch([2]).ids == ("funnybirds/train/31/000004",)
    shutil.rmtree(root / "train" / "31")
    assert "000004.png and 1 other of 6 in dataset_train.json (entry 5) missing" in refused(root)


def test_an_image_without_a_part_that_is_missing_is_named(root: Path) -> None:
    path = root / "test_interventions/7/000001/body_beak_eye_foot_wing.png"
    path.unlink()
    assert f"{path} is missing (image without tail)" in refused(root)


def test_a_link_out_of_its_folder_or_to_nothing_is_refused(root: Path) -> None:
    path = root / "train" / "7" / "000002.png"
    path.unlink()
    for target in (root / "test" / "7" / "000001.png", Path("nothing")):
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        assert f"{path} is a link to" in refused(root)


def test_a_link_out_of_the_images_without_a_part_is_refused(root: Path) -> None:
    folder = root / "test_interventions" / "7"
    folder.rename(root / "elsewhere")
    folder.symlink_to(root / "elsewhere")
    assert re.search(rf"{folder}/\S+ is a link to {root}/elsewhere/", refused(root))


@pytest.mark.parametrize("folder", ["train", "train_part_map"])
def test_an_image_that_is_cut_off_is_named_when_it_is_read(root: Path, folder: str) -> None:
    path = root / folder / "0" / "000000.png"
    path.write_bytes(path.read_bytes()[:-20])
    birds = FunnyBirds(root, 16)
    birds.train.batch([1])
    with pytest.raises(InputError, match=rf"{path} is cut off or no PNG \(\d+ bytes\); copy it again"):
        birds.train.batch([0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(TEXTS), st.data())
def test_damaged_texts_are_read_or_refused_in_one_line_with_the_file(
    root: Path, name: str, data: st.DataObject
) -> None:
    whole = (root / name).read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(max_size=4) | st.sampled_from([b"1e9", b"null", b"NaN", b"-1", b'"', b"9" * 5000]))
    end = data.draw(st.sampled_from([start, start + len(junk), len(whole)]))
    (root / name).write_bytes(whole[:start] + junk + whole[end:])
    message = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            birds = FunnyBirds(root, 8)
            birds.test.batch([0])
    except InputError as error:
        message = str(error)
    finally:
        (root / name).write_bytes(whole)
    assert re.search(rf"^$|{root}[^\n]*(again|copy|name the)[^\n]*$", message)
