"""Texts and codes of ADE20K's annotations, whole, damaged and real."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tiny_places
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from partbench import InputError
from partbench.datasets.places.annotation import decode_codes, labels_of_json, labels_of_text
from partbench.datasets.places.challenge_release import ChallengeRelease
from partbench.datasets.places.full_release import FullRelease
from partbench.datasets.places.rooms import RoomPhoto

LABELS_OF_THE_ABBEY = {
    "wall", "building, edifice", "sky", "tree", "road, route", "grass", "plant, flora, plant life",
}  # fmt: skip
SAMPLE = Path(__file__).resolve().parents[5] / "shared" / "data" / "ade20k"

cell = st.sampled_from(["", " ", "bed", "floor, flooring", "l\xe9g"])
line = st.tuples(st.sampled_from(["001", "2", "", "x", "-1"]), st.sampled_from(["0", "1", "", "a"]), cell, cell, cell)


@settings(max_examples=40, deadline=None)
@given(st.lists(line, min_size=1, max_size=4))
def test_any_lines_are_read_or_refused_with_their_place(rows: list[tuple[str, ...]]) -> None:
    text = "\n".join(" # ".join([*row, '"a # b"']) for row in rows)
    path = Path(tiny_places.__file__).with_name("no.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("partbench.datasets.places.annotation.text_of", lambda path, encoding: text)
        try:
            found = labels_of_text(path)
        except InputError as error:
            place = re.match(rf"{re.escape(str(path))} line (\d+): .*; copy it again$", str(error))
            assert place
            number, level, _, label, _ = rows[int(place[1]) - 1]
            assert not number.isdecimal() or not level.isdecimal() or not label.strip()
            return
    assert found == {int(row[0]): row[3].strip() for row in rows if row[1] == "0"}


values = st.recursive(
    st.none() | st.integers(-1, 4000) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["annotation", "object", "parts", "part_level", "name", "name_ndx"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(values, st.integers(0, 200))
def test_any_json_is_read_or_refused_in_one_line(value: object, cut: int) -> None:
    entries = {"annotation": {"object": [tiny_places.entry(8), value]}}
    for text in (json.dumps(value), json.dumps(entries), json.dumps(entries)[:cut]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("partbench.datasets.text_table.text_of", lambda path, encoding, text=text: text)
            refused, found = "", dict[int, str]()
            try:
                found = labels_of_json(Path("a.json"))
            except InputError as error:
                refused = str(error)
        places = r"a\.json (line \d+, column \d+: |object \d+: |has no list|cannot be read)"
        assert re.match(places, refused) if refused else all(label.strip() for label in found.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), "is an image of mode RGB, expected L or P, 8 bits each"),
        (np.zeros((4, 4), np.uint16), "is an image of mode I;16, expected L or P"),
        (np.zeros((4, 4), bool), "is an image of mode 1, expected L or P"),
        (b"", r"cannot decode .* \(0 bytes\)"),
        (None, "is gone since the dataset was opened"),
    ],
)
def test_codes_of_another_kind_are_refused(content: np.ndarray | bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        Image.fromarray(content).save(path)
    with pytest.raises(InputError, match=message):
        decode_codes(path, ("L", "P"))


def test_codes_are_the_levels_of_a_palette_too_and_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    path, values = tmp_path / "a.png", np.random.default_rng(0).integers(0, 151, (40, 30), np.uint8)
    image = Image.fromarray(values)
    image.putpalette([5] * 768)
    image.save(path)
    assert np.array_equal(decode_codes(path, ("L", "P")), values)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match="cannot decode"):
        decode_codes(path, ("L", "P"))


def test_the_real_photograph_of_2021_has_the_labels_of_its_objects() -> None:
    folder = SAMPLE / "ADE20K_2021_17_01/images/ADE/training/urban/street"
    if not folder.is_dir():
        pytest.skip("no photograph of ADE20K of 2021 beside the repository")
    stem = "ADE_train_00016900"
    paths = (folder / f"{stem}_seg.png", folder / f"{stem}.json")
    release = FullRelease(SAMPLE / "ADE20K_2021_17_01")
    photo = RoomPhoto(stem, "street", folder / f"{stem}.jpg", paths, (0, 0, 0))
    regions = release.regions(photo)
    shown = {regions.labels.get(code, "") for code in np.flatnonzero(np.bincount(regions.codes.ravel())).tolist()} - {
        ""
    }
    assert shown == release.labels(photo)
    assert "car, auto, automobile, machine, motorcar" in shown
    labelled = np.isin(regions.codes, list(regions.labels)).mean()
    assert 0.95 < labelled < 1


def test_the_real_photographs_of_the_challenge_have_the_labels_of_its_classes() -> None:
    root = SAMPLE / "ADEChallengeData2016"
    if not root.is_dir():
        pytest.skip("no photographs of the challenge beside the repository")
    release = ChallengeRelease(root)
    assert len(release._rooms) == 4481 + 450
    path = root / "annotations/validation/ADE_val_00000001.png"
    labels = release.labels(RoomPhoto("ADE_val_00000001", "abbey", path, (path,), (0, 0)))
    assert labels == LABELS_OF_THE_ABBEY
