"""A dataset of a few coloured squares, for performers that look at or learn from a dataset."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from coloured_squares import ColouredSquares

from partbench import Dataset


class SquaresDataset(Dataset):
    name, version = "squares", "1"
    default_performer = "lite0_head"
    classes = ("cat", "dog", "other")
    categories = ("cat", "dog")

    def __init__(self, size: int, train: str) -> None:
        super().__init__(None, size)
        self.train, self.test = ColouredSquares(24, size, train), ColouredSquares(6, size, "test")


@pytest.fixture(scope="session")
def squares() -> Callable[..., SquaresDataset]:
    """`squares(size=224, train="train")`: a dataset of 24 images to learn from, whose fingerprint is `train`."""
    return lambda size=224, train="train": SquaresDataset(size, train)
