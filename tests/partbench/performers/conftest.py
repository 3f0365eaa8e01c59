"""A dataset of a few coloured squares, for performers that look at or learn from a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from partbench import Batch, Dataset, ImageSet


class Squares(ImageSet):
    """Noise in which a square of the class's colour stands somewhere."""

    def __init__(self, count: int, size: int, fingerprint: str) -> None:
        self.count, self.size, self.fingerprint = count, size, fingerprint
        self.labels = torch.arange(count) % 3

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int]) -> Batch:
        images = torch.stack([self.image(i) for i in indices])
        return Batch(tuple(f"{self.fingerprint}/{i}" for i in indices), images, self.labels[list(indices)])

    def image(self, index: int) -> torch.Tensor:
        draw, side = torch.Generator().manual_seed(index), self.size // 2
        image = torch.rand(3, self.size, self.size, generator=draw) / 4
        top, left = torch.randint(0, self.size - side, (2,), generator=draw).tolist()
        image[int(self.labels[index]), top : top + side, left : left + side] += 0.75
        return image


class SquaresDataset(Dataset):
    name, version = "squares", "1"
    default_performer = "lite0_head"
    classes = ("cat", "dog", "other")
    categories = ("cat", "dog")

    def __init__(self, size: int, train: str) -> None:
        super().__init__(None, size)
        self.train, self.test = Squares(24, size, train), Squares(6, size, "test")


@pytest.fixture(scope="session")
def squares() -> Callable[..., SquaresDataset]:
    """`squares(size=224, train="train")`: a dataset of 24 images to learn from, whose fingerprint is `train`."""
    return lambda size=224, train="train": SquaresDataset(size, train)
