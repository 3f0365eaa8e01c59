"""Floors whose maps are the same for every image: at the centre, in the corners, and everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from partbench import Images, hookimpl
from partbench_plugins.controls.floor import Floor, MapGeometry

Place = tuple[float, float]  # across and down, as fractions of the side of the image


@dataclass
class FixedBumps(Floor):
    """Base: for every image the same Gaussian bumps, one map each, 1 at their peaks.

    spread: standard deviation of a bump, as a fraction of the side of the image.
    """

    spread: Annotated[float, Gt(0)] = 0.2
    places: ClassVar[Sequence[Place]]

    def drawn(self, images: Images, geometry: MapGeometry) -> Float[Tensor, "n k h w"]:
        """The bumps, once per image."""
        bumps = torch.stack([self._bump(geometry, place) for place in self.places])
        return bumps.expand(len(images), -1, -1, -1)

    def _bump(self, geometry: MapGeometry, place: Place) -> Float[Tensor, "h w"]:
        across, down = place
        bump = self._along(geometry, geometry.height, down)[:, None] * self._along(geometry, geometry.width, across)
        return bump / bump.max()

    def _along(self, geometry: MapGeometry, cells: int, place: float) -> Float[Tensor, "cells"]:
        away = geometry.grid.centres(cells) - place * geometry.pixels
        return torch.exp(-0.5 * (away / (self.spread * geometry.pixels)) ** 2)


@dataclass
class CentreMap(FixedBumps):
    """One map, the same for every image: a Gaussian bump at the centre of the image, 1 at its peak; the score is 1.

    A floor. Photographs are centred on their subject, so that metrics of location reward maps that never move. The
    score is also the contribution.

    spread: standard deviation of the bump, as a fraction of the side of the image.
    """

    name: ClassVar[str] = "centre_map"
    places: ClassVar[Sequence[Place]] = ((0.5, 0.5),)


@dataclass
class CornerMap(FixedBumps):
    """Four maps, the same for every image: a Gaussian bump in each corner of the image, 1 at its peak.

    A floor. The bumps hardly overlap, so that metrics of orthogonality reward them; they never move, and lie off the
    subject of most photographs. The scores, all 1, are also the contributions.

    spread: standard deviation of a bump, as a fraction of the side of the image.
    """

    name: ClassVar[str] = "corner_map"
    places: ClassVar[Sequence[Place]] = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    spread: Annotated[float, Gt(0)] = 0.1


@dataclass
class Uniform(Floor):
    """`concepts` maps that are 1 everywhere, and equal contributions that sum to 1.

    A floor. Equal contributions have the largest entropy that this number of concepts allows.

    concepts: how many maps.
    """

    name: ClassVar[str] = "uniform"
    concepts: Annotated[int, Ge(1)] = 5

    def drawn(self, images: Images, geometry: MapGeometry) -> Float[Tensor, "n k h w"]:
        """1 in every cell."""
        return torch.ones(len(images), self.concepts, geometry.height, geometry.width)

    def contributions(self, scores: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """1 / k each."""
        return scores / scores.shape[1]


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    """This module's explainers."""
    register(CentreMap)
    register(CornerMap)
    register(Uniform)
