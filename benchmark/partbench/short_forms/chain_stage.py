"""One stage of a network that is cut into a chain."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class ChainStage:
    """A stage of a chain: its name, its module, and what its output is like.

    `shape` is that of the output for one image: (c, h, w) of maps, (d,) of vectors. `non_negative`: by the kind of its
    layers, no output is below 0. `pool`: it ends in a pool over windows. `prefix`: tokens before those of the grid,
    such as a class token, which stand in the output beside the grid of `cells` a side; 0 for anything else.
    """

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    non_negative: bool = False
    pool: bool = False
    prefix: int = 0
    cells: int = 0

    @property
    def is_map(self) -> bool:
        """Whether the output is a square map of several cells."""
        return len(self.shape) == 3 and self.shape[1] == self.shape[2] > 1
