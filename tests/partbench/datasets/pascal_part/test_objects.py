"""Animals of .mat files: masks, landmarks and boxes, and what is said of files that are wrong."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_pascal_part as tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from tiny_pascal_part import BODY, CAT, Thing

from partbench import InputError
from partbench.datasets.matlab.process import MatFile, MatlabProcess
from partbench.datasets.pascal_part.objects import Animal, _animals_of, edges_of, read_animals
from partbench.datasets.pascal_part.parts import PARTS

NAME = "2008_000001"


@pytest.fixture(scope="module")
def process() -> Iterator[MatlabProcess]:
    with MatlabProcess(limit=60) as process:
        yield process


def animals(path: Path, process: MatlabProcess, strange: Counter[str] | None = None) -> list[Animal]:
    return _animals_of(NAME, MatFile(path, path.read_bytes(), process), Counter() if strange is None else strange)


def test_animals_are_the_large_ones_with_their_place_in_the_file(tmp_path: Path, process: MatlabProcess) -> None:
    things = (Thing("person"), CAT, Thing("bird", (0, 0, 49, 50)), Thing("sheep", (1, 2, 51, 52)), Thing("table"))
    found = animals(tiny.annotation(tmp_path / f"{NAME}.mat", things), process)
    assert [(animal.number, animal.kind, animal.box) for animal in found] == [(2, 1, BODY), (4, 5, (1, 2, 51, 52))]
    assert found[0].shape == (tiny.HEIGHT, tiny.WIDTH)
    assert found[0].landmarks[0].tolist() == [20, 15]  # the head's own box, without the eye beside it
    assert np.isnan(found[0].landmarks[1]).all()
    assert np.isnan(found[1].landmarks).all()
    assert animals(tiny.annotation(tmp_path / f"{NAME}.mat", ()), process) == []


def test_masks_are_those_of_the_merged_parts_cut_to_the_box(tmp_path: Path) -> None:
    path = tiny.annotation(tmp_path / f"{NAME}.mat", (Thing("table"), CAT))
    found = read_animals({NAME: path})
    masks = found.masks(0, 300)  # five pixels a column, six a row
    part = {name: masks[PARTS.index(name)] for name in PARTS}
    expected = np.kron((tiny.mask((10, 5, 30, 25)) | tiny.mask((28, 10, 34, 14)))[5:55, 10:70], np.ones((6, 5)))
    assert np.array_equal(part["head"], expected > 0)
    assert part["front_legs"].all()
    assert edges_of(part["torso"].astype(np.uint8)) == (100, 60, 250, 210)
    assert not part["tail"].any()


def test_files_are_read_once_and_then_found_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.annotation(tmp_path / f"{NAME}.mat", (Thing("cat", parts={"wheel_1": BODY}),))
    remark = r"1 parts that the animal should not have, .*, first 'wheel_1' of a cat .*\.mat, anno\.objects\(1\)\)"
    with pytest.warns(UserWarning, match=remark):
        first = read_animals({NAME: path})
    monkeypatch.setattr("partbench.datasets.pascal_part.objects.MatlabProcess", None)
    with pytest.warns(UserWarning, match=remark):
        again = read_animals({NAME: path})
    assert again.described(0) == first.described(0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"imname": "2008_000002"}, r"is of 2008_000002, expected 2008_000001; copy it again"),
        ({"imname": np.zeros((0, 0))}, r"has an array of 0 x 0 \(f\) as anno\.imname, expected a text"),
        ({"objects": np.ones((1, 2))}, r"has an array of 1 x 2 \(f\) as anno\.objects, expected a struct"),
        ({"class": "unicorn"}, r"has the class 'unicorn' as anno\.objects\(1\)\.class, expected one of VOC's twenty"),
        ({"mask": "text"}, r"has an array of 1 \(U\) as anno\.objects\(1\)\.mask, expected numbers of two axes"),
        (
            {"mask": np.full((80, 90), np.nan)},
            r"has numbers that are not finite as anno\.objects\(1\)\.mask, expected 0 and",
        ),
        ({"mask": np.ones((40, 90), np.uint8)}, r"has a mask of 80 x 90 for head of .*, expected 40 x 90 as the obj"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, process: MatlabProcess, changes, expected: str) -> None:
    parts = tiny.struct_array([{"part_name": "head", "mask": tiny.mask(BODY)}])
    thing = {"class": "cat", "class_ind": 8.0, "mask": tiny.mask(BODY), "parts": parts}
    anno = {"imname": NAME, "objects": tiny.struct_array([thing | {k: v for k, v in changes.items() if k in thing}])}
    anno |= {key: value for key, value in changes.items() if key in anno}
    path = tmp_path / f"{NAME}.mat"
    savemat(path, {"anno": anno})
    with pytest.raises(InputError, match=rf"{NAME}\.mat {expected}") as error:
        animals(path, process)
    assert "\n" not in str(error.value)


def test_parts_there_twice_or_outside_their_animal_are_told_and_not_used(
    tmp_path: Path, process: MatlabProcess
) -> None:
    masks = [("torso", (80, 60, 90, 80)), ("head", (10, 5, 30, 25)), ("head", (40, 5, 60, 25)), ("neck", (0, 0, 0, 0))]
    parts = tiny.struct_array([{"part_name": part, "mask": tiny.mask(edges)} for part, edges in masks])
    thing = {"class": "cat", "class_ind": 8.0, "mask": tiny.mask(BODY), "parts": parts}
    path, strange = tmp_path / f"{NAME}.mat", Counter[str]()
    savemat(path, {"anno": {"imname": NAME, "objects": tiny.struct_array([thing])}})
    (animal,) = animals(path, process, strange)
    whose = f"of a cat ({path}, anno.objects(1))"
    assert dict(strange) == {f"'torso' outside {whose}": 1, f"an earlier 'head' {whose}": 1}
    np.testing.assert_array_equal(animal.landmarks, [[50, 15], [np.nan, np.nan], [np.nan, np.nan]])


DAMAGE = st.sampled_from(("cut", "flip", "blank", "text"))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=DAMAGE, seed=st.integers(0, 10**6), compressed=st.booleans())
def test_damaged_files_end_in_one_line_or_give_animals(
    tmp_path: Path, process: MatlabProcess, damage: str, seed: int, compressed: bool
) -> None:
    path = tmp_path / f"{NAME}.mat"
    if not path.exists():
        tiny.annotation(path, (Thing("person"), CAT))
    content, draw = bytearray(path.read_bytes()), random.Random(seed)
    place = draw.randrange(len(content) if compressed else 200)
    if damage == "cut":
        content = content[:place]
    elif damage == "flip":
        content[place] ^= 1 << draw.randrange(8)
    elif damage == "blank":
        content[place : place + 64] = bytes(min(64, len(content) - place))
    else:
        content = bytearray(b"<!doctype html><title>404</title>" * 9)
    found, refusal = read(MatFile(path, bytes(content), process))
    for animal in found:
        left, top, right, bottom = animal.box
        assert 0 <= left < right <= animal.shape[1]
        assert 0 <= top < bottom <= animal.shape[0]
    if refusal:
        assert path.name in refusal
        assert "\n" not in refusal
        assert "copy it again" in refusal


def read(file: MatFile) -> tuple[list[Animal], str]:
    """The animals of a file, and why it was refused."""
    try:
        return _animals_of(NAME, file, Counter()), ""
    except InputError as error:
        return [], str(error)
