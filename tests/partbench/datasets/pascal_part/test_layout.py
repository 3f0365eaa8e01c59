"""Folders of Pascal-Part and VOC 2010: what is found, what is missing, and who is for training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_pascal_part as tiny
from hypothesis import given
from hypothesis import strategies as st

from partbench import InputError
from partbench.datasets.pascal_part import PascalPart
from partbench.datasets.pascal_part.layout import PascalPartFolder, alternating
from partbench.datasets.pascal_part.parts import CATEGORIES

pytestmark = pytest.mark.filterwarnings("ignore:pascal_part:UserWarning")
LISTS = "VOCdevkit/VOC2010/ImageSets/Main"
JPEGS = "VOCdevkit/VOC2010/JPEGImages"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("pascal_part"), lists=True)


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "data"))


def refused(root: Path, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as error:
        PascalPart(root, 16)
    assert "\n" not in str(error.value)


def test_the_folders_may_lie_as_their_archives_unpack(root: Path) -> None:
    before = PascalPart(root, 16).train.fingerprint
    (root / "trainval").mkdir()
    (root / "Annotations_Part").rename(root / "trainval/Annotations_Part")
    (root / "VOCdevkit/VOC2010").rename(root / "VOC2010")
    assert PascalPart(root, 16).train.fingerprint == before
    refused(root / "VOC2010", r"VOC2010 has no folder Annotations_Part/ \(looked for Annotations_Part, trainval/Annot")
    refused(root / "trainval", r"has no folder JPEGImages/ .*; name the folder that holds Annotations")


def test_photographs_and_annotations_that_are_missing_are_named(root: Path) -> None:
    unused = root / JPEGS / "2010_000007.jpg"  # it shows no animal
    unused.unlink()
    PascalPart(root, 16)
    for name in ("2008_000001", "2008_000002"):
        (root / JPEGS / f"{name}.jpg").unlink()
    refused(root, r"2008_000001.jpg and 1 other of 6 in .*Annotations_Part missing; copy VOC 2010's JPEGImages/ again")
    for file in (root / "Annotations_Part").iterdir():
        file.rename(file.with_suffix(".txt"))
    refused(root, r"Annotations_Part has no annotations, such as 2008_000008.mat; copy it again")


def test_a_photograph_of_another_size_than_its_annotation_is_named_with_both(root: Path) -> None:
    dataset = PascalPart(root, 16)
    shutil.copy(root / JPEGS / "2008_000001.jpg", root / JPEGS / "2009_000003.jpg")
    assert len(dataset.train.batch([0, 1])) == 2
    path = root / "Annotations_Part/2008_000001.mat"
    tiny.annotation(path, [tiny.Thing("cat", (0, 0, 60, 60))], shape=(90, 80))
    with pytest.raises(InputError, match=r"2008_000001.jpg is 90 x 80 px, expected 80 x 90 as Annotations_Part/2008_0"):
        PascalPart(root, 16).train.batch([0])


def test_links_out_of_the_folders_and_to_nothing_are_refused(root: Path, tmp_path: Path) -> None:
    for path in (root / JPEGS / "2008_000001.jpg", root / "Annotations_Part/2008_000001.mat"):
        outside = tmp_path / path.name
        path.rename(outside)
        path.symlink_to(outside)
        refused(root, rf"{path.name} is a link to .*, expected a file in .*; copy the file itself")
        outside.rename(tmp_path / "elsewhere")
        refused(root, rf"{path.name} (is a link to|of 6|.* missing)")
        path.unlink()
        (tmp_path / "elsewhere").rename(path)


@pytest.mark.parametrize("linked", [JPEGS, f"{LISTS}/val.txt"])
def test_folders_and_lists_that_are_links_out_of_voc_are_refused(linked: str, root: Path, tmp_path: Path) -> None:
    (root / linked).rename(tmp_path / "elsewhere")
    (root / linked).symlink_to(tmp_path / "elsewhere")
    refused(root, rf"{linked} is a link to .*elsewhere, expected a file in .*VOC2010; copy the file itself")


def test_other_files_among_the_annotations_are_named_and_not_used(root: Path) -> None:
    (root / "Annotations_Part/._2008_000001.mat").write_bytes(b"of a Mac")
    with pytest.warns(UserWarning, match=r"has 1 files that are no annotations, first ._2008_000001.mat; they are not"):
        PascalPart(root, 16)


def test_the_split_is_that_of_the_lists_of_voc(root: Path) -> None:
    dataset = PascalPart(root, 16)
    assert {name[-1] for name in dataset.train.animals.photographs} == {"1", "3", "5"}
    assert {name[-1] for name in dataset.test.animals.photographs} == {"2", "4", "6"}


def test_lists_that_are_wrong_are_named_with_their_line(root: Path) -> None:
    train, val = root / LISTS / "train.txt", root / LISTS / "val.txt"
    text = train.read_text()
    train.write_text(text.replace("2009_000003", "2009_000003.jpg"))
    refused(root, r"train.txt line 2: '2009_000003.jpg', expected a name such as 2008_000008; copy it again")
    train.write_text(text + "2009_000004\n")
    refused(root, r"2009_000004 is in both lists of .*train.txt and val.txt; copy it again")
    train.write_text(text)
    val.write_text("2008_000002\n")
    refused(root, r"2009_000004 is in neither list of ")
    val.unlink()
    refused(root, r"val.txt is missing; copy the whole dataset")


def test_without_lists_every_second_photograph_is_for_testing_and_a_warning_says_so(root: Path) -> None:
    shutil.rmtree(root / "VOCdevkit/VOC2010/ImageSets")
    with pytest.warns(UserWarning, match=r"every second photograph of a category is for testing, as .* has no train"):
        dataset = PascalPart(root, 16)
    assert sorted(set(dataset.train.animals.photographs)) == ["2008_000001", "2009_000003", "2010_000005"]
    assert dataset.test.animals.photographs.count("2009_000004") == 2


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, len(CATEGORIES) - 1)), min_size=1, max_size=40))
def test_all_animals_of_a_photograph_are_on_one_side(pairs: list[tuple[int, int]]) -> None:
    pairs.sort(key=lambda pair: pair[0])
    names = [f"2008_{number:06d}" for number, _ in pairs]
    training = alternating(names, np.array([kind for _, kind in pairs]))
    first = {name: kind for name, (_, kind) in reversed(list(zip(names, pairs, strict=True)))}
    sides = [{bool(training[i]) for i, other in enumerate(names) if other == name} for name in first]
    assert all(len(side) == 1 for side in sides)
    for kind in range(len(CATEGORIES)):
        dealt = [training[names.index(name)] for name in first if first[name] == kind]
        assert sum(dealt) - (len(dealt) - sum(dealt)) in (0, 1)


def test_a_folder_without_a_large_animal_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no annotation has a bird, cat, .* of 2,500 px or more; copy the whole"):
        PascalPart.categories_in(tiny.write(tmp_path, {"2008_000001": [tiny.Thing("cat", (0, 0, 49, 51))]}))
    with pytest.raises(InputError, match="pascal_part needs --data-root DIR"):
        PascalPartFolder.of(None)
