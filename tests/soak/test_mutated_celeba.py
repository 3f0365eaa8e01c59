"""The text files of CelebA."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mutation import damaged, edited
from verdicts import verdicts

from partbench.datasets.celeba import CelebA
from partbench.datasets.celeba.layout import ATTRIBUTES, ATTRIBUTES_FILE, COORDINATES, LANDMARKS_FILE, PARTITION_FILE

FILES = (ATTRIBUTES_FILE, LANDMARKS_FILE, PARTITION_FILE)
PHOTOS = "Img/img_align_celeba"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six photos: three for training, one for validation, two for testing."""
    names = [f"{i + 1:06d}.jpg" for i in range(6)]
    signs = [" ".join(("1", "-1")[(i + k) % 2] for k in range(len(ATTRIBUTES))) for i in range(6)]
    points = [" ".join(str(20 + 3 * i + k) for k in range(len(COORDINATES))) for i in range(6)]
    tables = {
        ATTRIBUTES_FILE: ["6", " ".join(ATTRIBUTES), *map(" ".join, zip(names, signs, strict=True))],
        LANDMARKS_FILE: ["6", " ".join(COORDINATES), *map(" ".join, zip(names, points, strict=True))],
        PARTITION_FILE: list(map(" ".join, zip(names, "000122", strict=True))),
    }
    for name, lines in tables.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    (tmp_path / PHOTOS).mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(tmp_path / PHOTOS / name), np.zeros((218, 178, 3), np.uint8))
    return tmp_path


def values(root: Path) -> object:
    celeba = CelebA(root, 16)
    batches = [split.batch(range(len(split))) for split in (celeba.train, celeba.test)]
    return [[list(batch.ids), batch.attributes, batch.landmarks] for batch in batches]


@pytest.mark.parametrize("n", [20, pytest.param(500, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", FILES)
def test_mutated_tables_are_refused_or_give_numbers(name: str, n: int, root: Path) -> None:
    whole = (root / name).read_bytes()

    def read(content: bytes) -> object:
        (root / name).write_bytes(content)
        return values(root)

    expected = values(root)
    texts = (text.encode(errors="surrogatepass") for text in edited(whole.decode(), n, seed=1))
    for inputs in (damaged(whole, n), texts):
        assert verdicts(inputs, read, expected)["refused"] > n / 3
