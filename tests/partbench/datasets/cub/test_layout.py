"""Damaged folders of CUB end in one line that names file and line."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_cub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partbench import InputError
from partbench.datasets.cub import Cub
from partbench.datasets.cub.layout import CATEGORIES, CubFolder
from partbench.datasets.cub.species import SPECIES

pytestmark = pytest.mark.filterwarnings("ignore:cub:UserWarning")
TEXTS = (
    "classes.txt", "images.txt", "image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt",
    "parts/parts.txt", "parts/part_locs.txt",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tiny_cub.write(tmp_path)


def refused(root: Path, act: Callable[[Path], object] = lambda root: Cub(root, 16)) -> str:
    with pytest.raises(InputError) as caught:
        act(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(path: Path, line: int, pattern: str, replacement: str) -> None:
    lines = path.read_text().split("\n")
    changed = re.sub(pattern, replacement, lines[line - 1], count=1)
    assert changed != lines[line - 1]
    path.write_text("\n".join([*lines[: line - 1], changed, *lines[line:]]))


def test_there_are_200_species_with_names_of_their_own_without_numbers() -> None:
    assert len(SPECIES) == len(set(CATEGORIES)) == 200
    assert CATEGORIES[0] == "black_footed_albatross"
    assert all(re.fullmatch("[a-z_]+", name) for name in CATEGORIES)


def test_a_folder_holds_the_species_whose_photographs_are_there(root: Path) -> None:
    folder = CubFolder.of(root.parent)
    assert folder.species() == [2, 5, 200]
    shutil.rmtree(root / "images" / tiny_cub.SPECIES[5])
    assert folder.species() == [2, 200]
    with pytest.warns(UserWarning, match="8 of 11,788 photographs, of 2 of 200 species"):
        assert set(folder.birds()[0].species.tolist()) == {2, 200}


def test_the_order_of_lines_does_not_matter(root: Path) -> None:
    before = CubFolder.of(root).birds()[0]
    for name in TEXTS:
        if name != "images.txt":
            lines = (root / name).read_text().splitlines()
            (root / name).write_text("\r\n".join(reversed(lines)))
    after = CubFolder.of(root).birds()[0]
    assert before.names == after.names
    for one, other in ((before.landmarks, after.landmarks), (before.boxes, after.boxes)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_file_that_is_missing_or_a_page_or_in_another_encoding_is_named(root: Path, name: str) -> None:
    whole = (root / name).read_bytes()
    (root / name).write_bytes(b"\n <!DOCTYPE html><html>404</html>")
    assert f"{name} line 1: an HTML page, which a site sent in place of the file; download it again" in refused(root)
    first, _, rest = whole.partition(b"\n")
    (root / name).write_bytes(first + b"\n\xe9" + rest)
    assert f"{name} line 2: byte 0xe9 is no UTF-8 text" in refused(root)
    (root / name).unlink()
    assert re.search(rf"{name}( is missing; copy the whole dataset|; name)", refused(root))


@pytest.mark.parametrize(
    ("name", "line", "pattern", "replacement", "expected"),
    [
        ("classes.txt", 2, "Crested", "Horned", "class 5 is '005.Horned_Auklet', expected 005.Crested_Auklet"),
        ("classes.txt", 2, "^5", "201", "class 201 is '005.Crested_Auklet', expected 1 to 200"),
        ("images.txt", 2, "^10", "3", "number 3 a second time"),
        ("images.txt", 2, "^10", "-1", "'-1 002.Laysan_Albatross/Laysan_Albatross_0010_7.jpg', expected a number and"),
        ("images.txt", 3, " .*/", " ../", "'../Laysan_Albatross_0017_7.jpg', expected a path such as 001.Black_foot"),
        ("images.txt", 3, "/.*", "/../../x.jpg", "expected a path such as 001.Black_footed_Albatross/NAME.jpg"),
        ("images.txt", 1, "$", "\n", "'', expected a number and a name"),
        ("image_class_labels.txt", 5, "5$", "2", "class is 2, but images.txt has 005.Crested_Auklet/Crested_Auklet_00"),
        ("image_class_labels.txt", 5, "5$", "2.5", "class is 2.5, expected a whole number from 1 to 200"),
        ("train_test_split.txt", 4, "0$", "2", "is_training is 2, expected a whole number from 0 to 1"),
        ("train_test_split.txt", 4, "^24", "25", "image 25 is not in images.txt"),
        ("train_test_split.txt", 4, "^24", "17", "image 17 a second time"),
        ("bounding_boxes.txt", 6, "30.0 20.0", "0.0 20.0", "width is 0, expected more than 0"),
        ("bounding_boxes.txt", 6, "30.0 20.0", "30.0 -4", "height is -4, expected more than 0"),
        ("bounding_boxes.txt", 6, "30.0", "nan", "width is 'nan', expected a number"),
        ("bounding_boxes.txt", 6, " 20.0", "", "4 values, expected 5: image, x, y, width, height"),
        ("parts/parts.txt", 2, "beak", "bill", "part 2 is 'bill', expected beak"),
        ("parts/part_locs.txt", 17, r"\S+ 1$", "ten 1", "y is 'ten', expected a number"),
        ("parts/part_locs.txt", 17, "1$", "3", "visible is 3, expected a whole number from 0 to 1"),
        ("parts/part_locs.txt", 17, "10 2 ", "10 1 ", "image 10, part 1 a second time"),
        ("parts/part_locs.txt", 17, "10 2 ", "10 16 ", "part is 16, expected a whole number from 1 to 15"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(root: Path, name: str, line: int, pattern: str, replacement: str, expected: str) -> None:
    edit(root / name, line, pattern, replacement)
    wrong = line + ("\n" in replacement)
    assert f"{root / name} line {wrong}: " in refused(root)
    assert expected in refused(root)


def test_a_folder_of_a_species_that_is_not_listed_is_named(root: Path) -> None:
    lines = (root / "classes.txt").read_text().splitlines()
    (root / "classes.txt").write_text("\n".join([lines[0], lines[2]]))
    assert "classes.txt has no line for 005.Crested_Auklet, a folder of images/; copy it again" in refused(root)


def test_a_missing_line_is_named_by_what_it_should_say(root: Path) -> None:
    path = root / "parts/part_locs.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:20] + lines[21:]))
    assert refused(root).endswith("part_locs.txt has no line for image 10, part 6, which images.txt has; copy it again")


def test_missing_photographs_are_counted_and_those_not_listed_are_a_warning(root: Path) -> None:
    (root / "images" / tiny_cub.BIRDS[1].name).rename(root / "images" / tiny_cub.SPECIES[2] / "renamed.jpg")
    assert f"{root / 'images' / tiny_cub.BIRDS[1].name} of 12 in images.txt missing" in refused(root)
    tiny_cub.photograph(root / "images" / tiny_cub.BIRDS[1].name)
    with pytest.warns(UserWarning, match=r"1 files that images.txt does not list, first 002.*/renamed.jpg"):
        Cub(root, 16)


@pytest.mark.parametrize("target", ["../../outside.jpg", "nothing.jpg"])
def test_a_link_out_of_the_photographs_or_to_nothing_is_refused(root: Path, target: str) -> None:
    tiny_cub.photograph(root / "outside.jpg")
    path = root / "images" / tiny_cub.BIRDS[1].name
    path.unlink()
    path.symlink_to(target)
    assert f"{path} is a link to " in refused(root)
    path.unlink()
    path.symlink_to(Path(tiny_cub.BIRDS[0].name).name)
    assert len(Cub(root, 16).train) == 6


def test_the_folder_of_photographs_may_be_a_link(root: Path) -> None:
    (root / "images").rename(root.parent / "elsewhere")
    (root / "images").symlink_to(root.parent / "elsewhere")
    assert len(Cub(root, 16).test) == 6


@pytest.mark.parametrize(("name", "line", "pattern", "replacement", "expected"), [
    ("bounding_boxes.txt", 1, "11.0", "61.0", "box 61 5 30 20 lies outside 002.Laysan_Albatross/Laysan_Albatross_0003"),
    ("bounding_boxes.txt", 1, "11.0", "1e308", "box 1e+308 5 30 20 lies outside 002.Laysan_Albatross/Laysan_Albatr"),
    ("bounding_boxes.txt", 1, "30.0", "1e9", "box 11 5 1e+09 20 lies mostly outside 002.Laysan_Albatross/Laysan_Alb"),
    ("parts/part_locs.txt", 2, "14.0", "62.5", "beak at 62.5 10 lies outside 002.Laysan_Albatross/Laysan_Albatross_00"),
])  # fmt: skip
def test_what_lies_outside_its_photograph_is_named_when_it_is_read(
    root: Path, name: str, line: int, pattern: str, replacement: str, expected: str
) -> None:
    edit(root / name, line, pattern, replacement)
    message = refused(root, lambda root: Cub(root, 16).train.batch([0]))
    assert f"{root / name} line {line}: {expected}" in message
    assert "which is 60 x 40 px; copy it and images/ again" in message


def test_truncated_photographs_are_told_or_left_out_where_they_are_few(root: Path) -> None:
    path = root / "images" / tiny_cub.BIRDS[1].name
    path.write_bytes(path.read_bytes()[:300])
    assert f"1 of 12 photos are truncated or no JPEG, first {path}" in refused(root)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(TEXTS), st.data())
def test_damaged_texts_are_read_or_refused_in_one_line_with_the_file(
    root: Path, name: str, data: st.DataObject
) -> None:
    """Cut off, or with a few bytes in place of others."""
    whole = (root / name).read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(max_size=6) | st.sampled_from([b"1e400", b"\n\n", b"-", b" ", b"99999999999999999999"]))
    end = data.draw(st.sampled_from([start, start + len(junk), len(whole)]))
    (root / name).write_bytes(whole[:start] + junk + whole[end:])
    message = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cub = Cub(root, 8)
            for split in (cub.train, cub.test):
                split.batch(range(len(split)))
    except InputError as error:
        message = str(error)
    finally:
        (root / name).write_bytes(whole)
    assert re.search(r"^$|(\.txt|images|for (testing|training))[^\n]*(again|name the|copy)[^\n]*$", message)
