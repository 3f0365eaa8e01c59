"""Places365 in the layouts of its archives."""

from __future__ import annotations

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
