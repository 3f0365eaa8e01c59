"""Which objects are told apart, and their names."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_places

from partbench.datasets.places.challenge_release import ChallengeRelease
from partbench.datasets.places.objects import most_frequent, parts_of, ranked


def test_every_room_counts_the_same() -> None:
    shown = {"bedroom": [{"bed", "wall"}] * 20, "kitchen": [{"oven", "wall"}, {"oven"}], "office": [set()]}
    assert ranked(shown) == ["wall", "bed", "oven"]


def test_a_name_is_the_first_synonym_or_all_where_two_labels_share_it() -> None:
    labels = ["floor, flooring", "bag", "bag, traveling bag", "CRT screen"]
    assert parts_of(labels) == {
        "floor, flooring": "floor",
        "bag": "bag",
        "bag, traveling bag": "bag_traveling_bag",
        "CRT screen": "crt_screen",
    }


def test_photographs_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = ChallengeRelease(tiny_places.challenge(tmp_path))
    photos = release.photos("training")
    first = most_frequent(release, photos)
    assert first[:2] == ["floor, flooring", "wall"]
    monkeypatch.setattr(ChallengeRelease, "labels", lambda self, photo: pytest.fail("looked at again"))
    assert most_frequent(release, photos) == first
    with pytest.raises(pytest.fail.Exception):
        most_frequent(release, photos[1:])
