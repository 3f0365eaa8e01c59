"""Images that tell their class by a colour, for performers that look at or learn from a dataset."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from partbench import Batch, ImageSet


class ColouredSquares(ImageSet):
    """`count` images of 3 classes in turn: noise in which a square of the class's colour stands somewhere."""

    def __init__(self, count: int, size: int, fingerprint: str) -> None:
        self.count, self.size, self.fingerprint = count, size, fingerprint
        self.labels = torch.arange(count) % 3

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int]) -> Batch:
        images = torch.stack([self.image(i) for i in indices])
        return Batch(tuple(f"{self.fingerprint}/{i}" for i in indices), images, self.labels[list(indices)])

    def image(self, index: int) -> torch.Tensor:
        draw, side = torch.Generator().manual_seed(index + 1000 * (self.fingerprint == "test")), self.size // 2
        image = torch.rand(3, self.size, self.size, generator=draw) / 4
        top, left = torch.randint(0, self.size - side, (2,), generator=draw).tolist()
        image[int(self.labels[index]), top : top + side, left : left + side] += 0.75
        return image
