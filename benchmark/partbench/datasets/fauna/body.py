"""A body: solids (tapered capsules, ellipsoids, boxes) labelled with fine parts, and landmarks on them.

Body axes: x forward, y up, z to the animal's right. Image axes: x right, y down, z towards the viewer;
placed in the frame, in fractions of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from math import cos, sin
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

Point = Float[ndarray, "3"]
Frame = Float[ndarray, "3 3"]


class Material(IntEnum):
    """What a solid is made of; the scene decides the colours, from the same distribution for every category."""

    COAT = 0
    SECOND = 1
    KERATIN = 2
    DARK = 3
    IRIS = 4
    GLINT = 5
    PALE = 6


def vector(x: float, y: float, z: float) -> Point:
    return np.array((x, y, z))


def frame(pitch: float, yaw: float) -> Frame:
    """Columns forward, up, right of something pitched upwards and then turned to its right (radians)."""
    cp, sp, cy, sy = cos(pitch), sin(pitch), cos(yaw), sin(yaw)
    return np.array(((cp * cy, -sp * cy, -sy), (sp, cp, 0.0), (cp * sy, -sp * sy, cy)))


@dataclass(frozen=True)
class Solids:
    """Solids in image axes. Cones run from `start` to `end` with radii `radii`; `shape` is Q of d'Qd = 1.

    The columns of `sides` are the half sides of a box, at right angles to each other.
    """

    start: Float[ndarray, "a 3"]
    end: Float[ndarray, "a 3"]
    radii: Float[ndarray, "a 2"]
    centre: Float[ndarray, "b 3"]
    shape: Float[ndarray, "b 3 3"]
    extent: Float[ndarray, "b 3"]  # half sides of the bounding box of each ellipsoid
    parts: tuple[str, ...]  # of the cones, then of the ellipsoids, then of the boxes
    materials: Int[ndarray, "solids"]
    landmarks: dict[str, tuple[str, Point]]  # name -> (the fine part it lies on, point)
    middle: Float[ndarray, "c 3"] = field(default_factory=lambda: np.zeros((0, 3)))  # of the boxes
    sides: Float[ndarray, "c 3 3"] = field(default_factory=lambda: np.zeros((0, 3, 3)))

    def corners(self) -> tuple[Float[ndarray, "solids 3"], Float[ndarray, "solids 3"]]:
        """Lowest and highest corner of the bounding box of each solid."""
        first, last = self.radii[:, :1], self.radii[:, 1:]
        low = np.minimum(self.start - first, self.end - last)
        high = np.maximum(self.start + first, self.end + last)
        reach = np.abs(self.sides).sum(2)
        return (
            np.concatenate((low, self.centre - self.extent, self.middle - reach)),
            np.concatenate((high, self.centre + self.extent, self.middle + reach)),
        )

    def moved(self, zoom: float, offset: Point) -> Solids:
        """Every point p at zoom p + offset."""
        return Solids(
            zoom * self.start + offset,
            zoom * self.end + offset,
            zoom * self.radii,
            zoom * self.centre + offset,
            self.shape / zoom**2,
            zoom * self.extent,
            self.parts,
            self.materials,
            {name: (part, zoom * point + offset) for name, (part, point) in self.landmarks.items()},
            zoom * self.middle + offset,
            zoom * self.sides,
        )


@dataclass
class Body:
    """Collects solids while an animal is being built."""

    cones: list[tuple[Any, ...]] = field(default_factory=list)
    ellipsoids: list[tuple[Any, ...]] = field(default_factory=list)
    boxes: list[tuple[Any, ...]] = field(default_factory=list)
    landmarks: dict[str, tuple[str, Point]] = field(default_factory=dict)
    feet: list[Point] = field(default_factory=list)

    def cone(
        self, part: str, start: Point, end: Point, radii: tuple[float, float], material: IntEnum = Material.COAT
    ) -> None:
        self.cones.append((part, material, start, end, radii))

    def ball(self, part: str, centre: Point, radius: float, material: IntEnum = Material.COAT) -> None:
        self.cones.append((part, material, centre, centre, (radius, radius)))

    def ellipsoid(self, part: str, centre: Point, axes: Frame, material: IntEnum = Material.COAT) -> None:
        """`axes`: the three half axes as columns."""
        self.ellipsoids.append((part, material, centre, axes))

    def box(self, part: str, centre: Point, axes: Frame, material: IntEnum = Material.COAT) -> None:
        """`axes`: the three half sides as columns, at right angles to each other."""
        self.boxes.append((part, material, centre, axes))

    def landmark(self, name: str, part: str, point: Point) -> None:
        self.landmarks[name] = (part, point)

    def chain(self, part: str, points: list[Point], radii: list[float], material: IntEnum = Material.COAT) -> None:
        """Cones joining consecutive points."""
        for i in range(len(points) - 1):
            self.cone(part, points[i], points[i + 1], (radii[i], radii[i + 1]), material)

    def eye(self, side: str, centre: Point, radius: float, outward: Point) -> None:
        """An eye of iris, pupil and glint looking `outward`; its part and landmark are `<side>_eye`."""
        part, outward = f"{side}_eye", outward / np.linalg.norm(outward)
        self.ball(part, centre, radius, Material.IRIS)
        self.ball(part, centre + 0.42 * radius * outward, radius * 0.72, Material.DARK)
        self.ball(part, centre + radius * (0.9 * outward + vector(0.15, 0.4, 0)), radius * 0.26, Material.GLINT)
        self.landmark(part, part, centre + radius * outward)

    def seen_from(self, view: Frame) -> Solids:
        """The body under an orthogonal map from body to image axes."""
        axes = view @ np.array([e[3] for e in self.ellipsoids]).reshape(-1, 3, 3)
        covariance = axes @ axes.transpose(0, 2, 1)
        solids = (*self.cones, *self.ellipsoids, *self.boxes)
        return Solids(
            np.array([c[2] for c in self.cones]).reshape(-1, 3) @ view.T,
            np.array([c[3] for c in self.cones]).reshape(-1, 3) @ view.T,
            np.array([c[4] for c in self.cones]).reshape(-1, 2),
            np.array([e[2] for e in self.ellipsoids]).reshape(-1, 3) @ view.T,
            np.linalg.inv(covariance),
            np.sqrt(covariance[:, (0, 1, 2), (0, 1, 2)]),
            tuple(s[0] for s in solids),
            np.array([int(s[1]) for s in solids]),
            {name: (part, view @ point) for name, (part, point) in self.landmarks.items()},
            np.array([b[2] for b in self.boxes]).reshape(-1, 3) @ view.T,
            view @ np.array([b[3] for b in self.boxes]).reshape(-1, 3, 3),
        )
