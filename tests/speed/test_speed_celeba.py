"""Reading CelebA's text files at their full size."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from partbench.datasets.celeba.layout import (
    ATTRIBUTES,
    ATTRIBUTES_FILE,
    COORDINATES,
    LANDMARKS_FILE,
    PARTITION_FILE,
    CelebaFolder,
)

PHOTOS = 202_599


def write(path: Path, columns: tuple[str, ...], values: np.ndarray) -> None:
    """A file as published: its number of rows and the names of its columns, but for those of a single column."""
    rows = [f"{i:06d}.jpg {' '.join(map(str, row))}" for i, row in enumerate(values.tolist(), 1)]
    head = [str(len(values)), " ".join(columns)] if len(columns) > 1 else []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*head, *rows, ""]))


def test_the_text_files_of_all_photos_take_less_than_two_seconds_of_cpu(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    signs = random.choice([-1, 1], (PHOTOS, len(ATTRIBUTES)))
    write(tmp_path / ATTRIBUTES_FILE, ATTRIBUTES, signs)
    write(tmp_path / LANDMARKS_FILE, COORDINATES, random.integers(10, 190, (PHOTOS, len(COORDINATES))))
    write(tmp_path / PARTITION_FILE, ("partition",), random.integers(0, 3, (PHOTOS, 1)))
    start = time.process_time()
    faces = CelebaFolder.of(tmp_path).faces()
    seconds = time.process_time() - start
    assert np.array_equal(faces.attributes, signs)
    assert seconds < 2, f"{seconds:.2f} s of CPU"
