"""Photographs: JPEG, also progressive and with an orientation, PNG and BMP."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mutation import damaged
from verdicts import verdicts

from partbench.datasets.photograph import crop, decode

KINDS = {
    "baseline": (".jpg", []), "progressive": (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "restarts": (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]), "png": (".png", []), "bmp": (".bmp", []),
}  # fmt: skip


def photograph(kind: str) -> bytes:
    """Noise with a gradient of 60 x 45 px."""
    noise = np.random.default_rng(0).integers(0, 60, (45, 60, 3))
    image = (noise + np.linspace(0, 190, 60)[:, None]).astype(np.uint8)
    suffix, options = KINDS[kind]
    return bytes(cv2.imencode(suffix, image, options)[1])


@pytest.mark.parametrize("n", [20, pytest.param(800, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_photographs_are_refused_or_give_pixels(kind: str, n: int, tmp_path: Path) -> None:
    path, data = tmp_path / f"photo{KINDS[kind][0]}", photograph(kind)

    def read(content: bytes) -> object:
        path.write_bytes(content)
        return crop(decode(path), (2, 2, 40, 30), 32)

    found = verdicts(damaged(data, n), read, read(data))
    assert found["refused"] > n / 20
