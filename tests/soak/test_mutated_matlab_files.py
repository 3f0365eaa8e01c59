"""MATLAB files of both encodings, read as animal_part reads them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from mutation import damaged
from scipy.io import loadmat, savemat
from tiny_folder import NONE, WRITERS, TinyFolder, bndbox, column
from verdicts import same, verdicts

from partbench.datasets.animal_part import AnimalPart
from partbench.datasets.animal_part.layout import _column_of_boxes, _part
from partbench.datasets.matlab.process import MatFile, MatlabProcess
from partbench.datasets.photograph import crop

ENCODINGS = ("v5", "v5 compressed", "v7.3")
PHOTO = np.zeros((30, 40, 3), np.uint8)
ROWS = [
    {"pHW_center": column((113.0, 57.0)), "pHW_scale": column((56.0, 28.0)), "obj": bndbox((5, 3, 24, 22), text=True)},
    {"pHW_center": NONE, "pHW_scale": NONE, "obj": NONE},
    {"pHW_center": column((1, 2), (3, 4)), "pHW_scale": column((5, 6), (7, 8)), "obj": bndbox((2, 4, 20, 21))},
]


def written(encoding: str, path: Path) -> bytes:
    """A truth file of three photos."""
    WRITERS[encoding.split()[0]](path, "truth", ROWS)
    if encoding == "v5 compressed":
        savemat(path, {"truth": loadmat(BytesIO(path.read_bytes()))["truth"]}, do_compression=True)
    return path.read_bytes()


@pytest.mark.parametrize("n", [20, pytest.param(1500, marks=pytest.mark.soak)])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_mutated_files_are_refused_or_give_numbers(encoding: str, n: int, tmp_path: Path) -> None:
    path = tmp_path / "truth.mat"
    data = written(encoding, path)
    with MatlabProcess(limit=20) as process:

        def read(content: bytes) -> object:
            file = MatFile(path, content, process)
            boxes = _column_of_boxes(file, "truth")
            for box in filter(None, boxes):
                crop_or_refuse(box)
            return boxes, _part(file, len(ROWS))

        found = verdicts(damaged(data, n), read, read(data))
    assert found["refused"] > n / 20


def crop_or_refuse(box: tuple[float, float, float, float]) -> None:
    with suppress(ValueError):  # as the dataset expects of a box outside the image
        assert crop(PHOTO, box, 16).shape == (16, 16, 3)


@pytest.mark.parametrize("n", [8, pytest.param(200, marks=pytest.mark.soak)])
@pytest.mark.parametrize("encoding", WRITERS)
def test_a_dataset_with_a_mutated_file_is_refused_or_opens(encoding: str, n: int, tmp_path: Path) -> None:
    folder = TinyFolder(tmp_path / "tiny", encoding).write()
    files = sorted(folder.root.rglob("*.mat"))

    def mutated() -> Iterator[tuple[Path, bytes]]:
        for number in range(n):
            file = random.Random(number).choice(files)
            yield file, next(damaged(file.read_bytes(), 1, seed=number))

    def read(one: tuple[Path, bytes]) -> object:
        file, content = one
        whole = file.read_bytes()
        try:
            file.write_bytes(content)
            return values(AnimalPart(folder.root, 16))
        finally:
            file.write_bytes(whole)

    found = verdicts(mutated(), read, values(AnimalPart(folder.root, 16)))
    assert found["refused"] > n / 20
    shutil.rmtree(folder.root)


def values(dataset: AnimalPart) -> object:
    """All that the files say of the photos."""
    photos = [photo for split in (dataset.train, dataset.test) for photo in split.photos]
    batches = [split.batch(range(len(split))) for split in (dataset.train, dataset.test)]
    rest = [[batch.pixels, batch.landmarks] for batch in batches]
    return [[p.id, p.box, p.centres, p.extents, p.found] for p in photos], rest


def test_values_that_differ_are_told_apart(tmp_path: Path) -> None:
    assert not same([np.array([1.0])], [np.array([2.0])])
    assert same([np.array([np.nan])], [np.array([np.nan])])
