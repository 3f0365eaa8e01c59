"""Photographs: crops, shrinking, and the memory of crops."""

from __future__ import annotations

import numpy as np
import pytest

from partbench.datasets.photograph import CropMemory, crop


def test_a_crop_holds_exactly_the_pixels_of_the_box():
    image = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
    assert np.array_equal(crop(image, (3, 5, 6, 8), 4), image[4:8, 2:6])
    assert np.array_equal(crop(image, (-3, -2, 4, 4), 4), image[:4, :4])  # what lies outside is cut off
    assert np.array_equal(crop(image, (7, 9, 99, 99), 4), image[8:, 6:])
    with pytest.raises(ValueError, match="outside the image of 10 x 12 px"):
        crop(image, (11, 1, 15, 4), 4)


def test_shrinking_averages_over_areas():
    board = (np.indices((8, 8)).sum(0) % 2 * 200).astype(np.uint8)[..., None].repeat(3, 2)
    assert np.array_equal(crop(board, None, 4), np.full((4, 4, 3), 100))


def test_memory_of_crops_stays_within_its_limit():
    made = []
    memory = CropMemory(limit=250)

    def make(key: str) -> np.ndarray:
        made.append(key)
        return np.zeros(100, np.uint8)

    for key in "abcabc":
        memory.get(key, lambda key=key: make(key))
    assert memory.bytes == 200
    assert made == ["a", "b", "c", "c"]
