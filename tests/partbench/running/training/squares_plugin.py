"""Noise in which a square of the class's colour stands somewhere, and a network that learns to tell the colour."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tiny_network import Tiny

from partbench import Batch, Dataset, ImageSet, hookimpl


class Split(ImageSet):
    """`count` images of 3 classes in turn."""

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


class Colours(Dataset):
    """Coloured squares."""

    name, version, default_performer = "colours", "1", "lite0_head"
    classes, categories = ("red", "green", "other"), ("red", "green")
    train_fingerprint = "train"

    def __init__(self, root: object = None, size: int = 32) -> None:
        super().__init__(None, size)
        self.train, self.test = Split(48, size, self.train_fingerprint), Split(30, size, "test")


@hookimpl
def register_datasets(register) -> None:
    register(Colours)


@hookimpl
def register_performers(register) -> None:
    register(Tiny)
