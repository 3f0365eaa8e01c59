"""A piece of furniture while it is being built.

Axes: x to the right, y up from the floor, z to the front. Lengths are in metres; small things are drawn larger than
life, so that 64 px show them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from math import cos, pi, sin, tau

import numpy as np

from partbench.datasets.fauna.body import Body, Material, Point, vector

Rng = np.random.Generator


Triple = tuple[float, float, float]


class Finish(IntEnum):
    """What a solid is made of. The colours are drawn for each object, from the same distribution for every class."""

    MAIN = len(Material)
    SECOND = len(Material) + 1
    ACCENT = len(Material) + 2
    DARK = len(Material) + 3
    METAL = len(Material) + 4
    PALE = len(Material) + 5


FINISHES = len(Finish)
MAIN, SECOND, ACCENT, DARK, METAL, PALE = Finish


@dataclass
class Piece:
    """Solids of one object, all of the class `name`."""

    name: str
    body: Body = field(default_factory=Body)

    def block(self, centre: Triple, size: Triple, finish: Finish = MAIN) -> None:
        """A box by its centre and its width, height and depth."""
        self.body.box(self.name, vector(*centre), np.diag(size) / 2, finish)

    def leaning(self, centre: Triple, size: Triple, back: float, finish: Finish = MAIN) -> None:
        """A box that is tilted backwards by an angle."""
        tilt = np.array(((1, 0, 0), (0, cos(back), sin(back)), (0, -sin(back), cos(back))))
        self.body.box(self.name, vector(*centre), tilt @ np.diag(size) / 2, finish)

    def rod(
        self, start: Triple, end: Triple, radius: float, finish: Finish = MAIN,
        taper: float = 1.0,
    ) -> None:  # fmt: skip
        """A round bar."""
        self.body.cone(self.name, vector(*start), vector(*end), (radius, radius * taper), finish)

    def lump(self, centre: Triple, half: Triple, finish: Finish = MAIN) -> None:
        """An ellipsoid by its centre and half axes."""
        self.body.ellipsoid(self.name, vector(*centre), np.diag(half), finish)

    def disc(self, centre: Triple, radius: float, facing: str = "up", finish: Finish = MAIN) -> None:
        """A flat round plate that faces up or to the front."""
        self.lump(centre, (radius, 0.03, radius) if facing == "up" else (radius, radius, 0.03), finish)

    def legs(self, half: tuple[float, float], height: float, radius: float, finish: Finish = SECOND) -> None:
        """Four legs at the corners of a rectangle."""
        for x in (-half[0], half[0]):
            for z in (-half[1], half[1]):
                self.rod((x, 0, z), (x, height, z), radius, finish)

    def ring(self, height: float, radius: float, count: int, start: float = 0.0) -> list[Point]:
        """Points at even angles on a level circle."""
        turns = [start + tau * k / count for k in range(count)]
        return [vector(radius * cos(turn), height, radius * sin(turn)) for turn in turns]


def arch(radius: float, height: float, steps: int = 7) -> list[tuple[float, float]]:
    """Points (x, y) on a half circle above `height`."""
    return [(radius * cos(pi * k / (steps - 1)), height + radius * sin(pi * k / (steps - 1))) for k in range(steps)]
