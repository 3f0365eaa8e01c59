"""Places365 in the layouts of its archives."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tiny_places

from partbench import InputError
from partbench.datasets.places.places365 import Places365


def test_both_layouts_hold_the_same_photographs(tmp_path: Path) -> None:
    found = []
    for root in (tiny_places.easy(tmp_path / "easy"), tiny_places.standard(tmp_path / "standard")):
        places = Places365.of(root)
        assert places is not None
        splits = (sorted(places.photos("training"), key=key), sorted(places.photos("validation"), key=key))
        found.append([[(photo.path.name, photo.room) for photo in photos] for photos in splits])
    assert found[0] == found[1]
    assert [len(split) for split in found[0]] == [9, 9]
    assert Places365.of(tmp_path / "easy") is not None
    assert Places365.of(tmp_path) is None


def key(photo):  # type: ignore[no-untyped-def]
    return photo.path.name


@pytest.mark.parametrize("line", ["Places365_val_1.jpg 165", "Places365_val_00000001.jpg 365", "x", ""])
def test_a_wrong_line_of_the_list_is_named(line: str, tmp_path: Path) -> None:
    path = tiny_places.standard(tmp_path) / "places365_val.txt"
    path.write_text("Places365_val_00000007.jpg 52\n" + line + "\nPlaces365_val_00000008.jpg 52\n")
    places = Places365.of(tmp_path)
    assert places is not None
    with pytest.raises(InputError, match=r"places365_val.txt line 2: .*, expected a photograph and its category"):
        places.photos("validation")
    path.unlink()
    with pytest.raises(InputError, match=r"places365_val.txt is missing"):
        places.photos("validation")


def test_a_photograph_that_is_listed_twice_is_named(tmp_path: Path) -> None:
    path = tiny_places.standard(tmp_path) / "places365_val.txt"
    path.write_text("Places365_val_00000007.jpg 52\nPlaces365_val_00000007.jpg 45\n")
    with pytest.raises(
        InputError, match=r"places365_val.txt line 2: Places365_val_00000007.jpg a second time; copy it"
    ):
        Places365(tmp_path).photos("validation")


def test_a_list_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tiny_places.standard(tmp_path / "data") / "places365_val.txt"
    path.rename(tmp_path / "list.txt")
    path.symlink_to(tmp_path / "list.txt")
    with pytest.raises(InputError, match=r"places365_val.txt is a link to .*list.txt, expected a file in .*data; copy"):
        Places365(tmp_path / "data").photos("validation")


def test_of_two_layouts_in_one_folder_the_small_photographs_are_used_alone(tmp_path: Path) -> None:
    alone = Places365(tiny_places.standard(tmp_path)).photos("training")
    tiny_places.easy(tmp_path)
    shutil.copytree(tmp_path / "places365_standard", tmp_path, dirs_exist_ok=True)
    assert Places365(tmp_path).photos("training") == alone


def test_a_name_that_cannot_be_printed_is_refused(tmp_path: Path) -> None:
    root = tiny_places.easy(tmp_path)
    photo = next((root / "train" / "bedroom").iterdir())
    photo.rename(photo.with_name("\udcff.jpg"))
    with pytest.raises(InputError, match=r"udcff.jpg' is no name that can be printed; rename the file"):
        Places365(root).photos("training")
