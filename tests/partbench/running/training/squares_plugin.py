"""A dataset of coloured squares, and a network that learns to tell the colour."""

from __future__ import annotations

from coloured_squares import ColouredSquares
from tiny_network import Tiny

from partbench import Dataset, hookimpl


class Colours(Dataset):
    """Coloured squares."""

    name, version, default_performer = "colours", "1", "lite0_head"
    classes, categories = ("red", "green", "other"), ("red", "green")
    train_fingerprint = "train"

    def __init__(self, root: object = None, size: int = 32) -> None:
        super().__init__(None, size)
        self.train = ColouredSquares(48, size, self.train_fingerprint)
        self.test = ColouredSquares(30, size, "test")


@hookimpl
def register_datasets(register) -> None:
    register(Colours)


@hookimpl
def register_performers(register) -> None:
    register(Tiny)
