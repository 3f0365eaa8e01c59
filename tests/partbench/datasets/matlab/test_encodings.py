from __future__ import annotations

from pathlib import Path
from time import process_time

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from tiny_folder import bndbox, write_v5, write_v73

from partbench.datasets.matlab.encodings import MOST, MatContent, Refused, Version5


def test_of_several_objects_in_one_row_the_first_gives_the_box(tmp_path: Path):
    path = tmp_path / "truth.mat"
    boxes = [bndbox((1, 2, 3, 4), text=True), bndbox((5, 6, 7, 8), text=True)]
    write_v73(path, "truth", [{"obj": boxes}, {"obj": boxes[1]}])
    values = MatContent(path.read_bytes()).nested("truth", "obj/bndbox", ("xmin", "ymax"))
    assert [value.item() for value in values] == [1, 4, 5, 8]
    objects = np.array([[(boxes[0]["bndbox"],), (boxes[1]["bndbox"],)]], dtype=[("bndbox", object)])
    write_v5(path, "truth", [{"obj": objects}, {"obj": boxes[1]}])
    values = MatContent(path.read_bytes()).nested("truth", "obj/bndbox", ("xmin", "ymax"))
    assert [value.item() for value in values] == [1, 4, 5, 8]


def test_a_struct_array_of_one_element_is_read(tmp_path: Path):
    path = tmp_path / "truth.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["truth/pHW_center"] = np.array([[3.0, 4.0]])
    assert MatContent(path.read_bytes()).values("truth", "pHW_center")[0].tolist() == [[3.0], [4.0]]


def test_an_array_of_absurd_size_is_refused_before_memory_is_taken(tmp_path: Path):
    path = tmp_path / "truth.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset(
            "truth/pHW_center", (2, 1 << 40), float, chunks=(1, 1024)
        )  # a terabyte that the file has not
    with pytest.raises(Refused, match=rf"holds an array of 2 x {1 << 40} elements, expected at most {MOST}"):
        MatContent(path.read_bytes()).values("truth", "pHW_center")


@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_a_large_array_is_refused_in_both_encodings(tmp_path: Path, write):
    path = tmp_path / "truth.mat"
    write(path, "truth", [{"pHW_center": np.zeros((2, MOST))}, {"pHW_center": np.zeros((2, 1))}])
    with pytest.raises(Refused, match="holds an array of"):
        MatContent(path.read_bytes()).values("truth", "pHW_center")


def test_an_array_of_three_axes_is_refused(tmp_path: Path):
    rows = np.empty((1, 2), dtype=[("a", object)])
    rows[0, 0], rows[0, 1] = (np.zeros((2, 1)),), (np.ones((2, 2, 2)),)
    savemat(tmp_path / "truth.mat", {"truth": rows})
    with pytest.raises(Refused, match="has an array of 2 x 2 x 2 in row 2, expected two axes"):
        MatContent((tmp_path / "truth.mat").read_bytes()).values("truth", "a")


NESTED = {
    "name": "photo",
    "objects": np.array(
        [[("cat", np.eye(2)), ("dog", np.zeros((0, 0))), ("cow", np.full((1, 3), 7))]],
        dtype=[("class", object), ("mask", object)],
    ),
    "none": np.zeros((0, 0)),
}


def test_texts_and_planes_are_those_of_all_elements_or_of_the_numbered_one(tmp_path: Path):
    savemat(tmp_path / "anno.mat", {"anno": NESTED})
    content = MatContent((tmp_path / "anno.mat").read_bytes())
    assert content.texts(["anno", "name"]) == ["photo"]
    assert content.texts(["anno", "objects", "class"]) == ["cat", "dog", "cow"]
    assert content.texts(["anno", "objects", 1, "class"]) == ["dog"]
    assert content.texts(["anno", "none", "class"]) == content.planes(["anno", "objects", 3, "mask"]) == []
    planes = content.planes(["anno", "objects", "mask"])
    assert [plane.tolist() for plane in planes] == [[[1, 0], [0, 1]], [], [[1, 1, 1]]]
    assert {plane.dtype for plane in planes} == {np.dtype(np.uint8)}


def test_a_numbered_element_is_found_without_a_look_at_the_others(tmp_path: Path):
    savemat(tmp_path / "anno.mat", {"anno": NESTED})
    version5 = Version5((tmp_path / "anno.mat").read_bytes())
    version5.variables["anno"] = objects = np.empty((1, 200_000), [("class", object)])
    objects["class"] = np.array("cat")
    start = process_time()
    assert [version5.nodes(["anno", number, "class"]) for number in range(100_000, 100_300)] == [["cat"]] * 300
    assert process_time() - start < 0.5  # looks at all take seconds


@pytest.mark.parametrize(
    ("method", "path", "why"),
    [
        ("texts", ["lies", "name"], "has no lies"),
        ("texts", ["anno", "objects", 1, "lies"], r"has no anno\.objects\(2\)\.lies"),
        ("texts", ["anno", "name", "first"], r"has an array of 1 \(U\) as anno\.name, expected a struct"),
        ("texts", ["anno", "objects", "mask"], r"has an array of 2 x 2 \(f\) as anno\.objects\.mask, expected a text"),
        ("planes", ["anno", "name"], r"has an array of 1 \(U\) as anno\.name, expected numbers of two axes"),
    ],
)
def test_what_is_not_at_a_path_is_refused_in_the_words_of_matlab(tmp_path: Path, method, path, why):
    savemat(tmp_path / "anno.mat", {"anno": NESTED})
    with pytest.raises(Refused, match=why):
        getattr(MatContent((tmp_path / "anno.mat").read_bytes()), method)(path)


def test_texts_of_the_other_encoding_are_refused(tmp_path: Path):
    write_v73(tmp_path / "anno.mat", "anno", [{"name": "photo"}])
    with pytest.raises(Refused, match=r"is a MATLAB v7\.3 file, expected v5 as published"):
        MatContent((tmp_path / "anno.mat").read_bytes()).texts(["anno", "name"])
