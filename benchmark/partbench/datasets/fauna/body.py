"""A body: solids (tapered capsules and ellipsoids) labelled with fine parts, and landmarks on them.

Body axes: x forward, y up, z to the animal's right. After `Body.seen_from` they are image axes: x right, y down (both
in fractions of the frame), z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray


class Material(IntEnum):
    """What a solid is made of; the scene decides the colours, from the same distribution for every category."""

    COAT = 0
    SECOND = 1
    KERATIN = 2
    DARK = 3
    IRIS = 4
    GLINT = 5
    PALE = 6


def vector(x: float, y: float, z: float) -> Float[ndarray, 3]:
    return np.array((x, y, z))


def frame(pitch: float, yaw: float) -> Float[ndarray, "3 3"]:
    """Columns forward, up, right of something pitched upwards and then turned to its right (radians)."""
    cp, sp, cy, sy = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    return np.array(((cp * cy, -sp * cy, -sy), (sp, cp, 0.0), (cp * sy, -sp * sy, cy)))


@dataclass(frozen=True)
class Solids:
    """Solids in image axes. Cones run from `start` to `end` with radii `radii`; `shape` is Q of d'Qd = 1."""

    start: Float[ndarray, "a 3"]
    end: Float[ndarray, "a 3"]
    radii: Float[ndarray, "a 2"]
    centre: Float[ndarray, "b 3"]
    shape: Float[ndarray, "b 3 3"]
    extent: Float[ndarray, "b 3"]
    parts: tuple[str, ...]  # of the cones, then of the ellipsoids
    materials: Int[ndarray, " a_plus_b"]
    landmarks: dict[str, tuple[str, Float[ndarray, 3]]]  # name -> (the fine part it lies on, point)


@dataclass
class Body:
    """Collects solids while an animal is being built."""

    cones: list[tuple] = field(default_factory=list)
    ellipsoids: list[tuple] = field(default_factory=list)
    landmarks: dict[str, tuple[str, Float[ndarray, 3]]] = field(default_factory=dict)
    feet: list[Float[ndarray, 3]] = field(default_factory=list)

    def cone(self, part: str, start, end, radii: tuple[float, float], material: Material = Material.COAT) -> None:
        self.cones.append((part, material, start, end, radii))

    def ball(self, part: str, centre, radius: float, material: Material = Material.COAT) -> None:
        self.cones.append((part, material, centre, centre, (radius, radius)))

    def ellipsoid(self, part: str, centre, axes: Float[ndarray, "3 3"], material: Material = Material.COAT) -> None:
        """`axes`: the three half axes as columns."""
        self.ellipsoids.append((part, material, centre, axes))

    def landmark(self, name: str, part: str, point: Float[ndarray, 3]) -> None:
        self.landmarks[name] = (part, point)

    def chain(self, part: str, points: list, radii: list[float], material: Material = Material.COAT) -> None:
        """Cones joining consecutive points."""
        for i in range(len(points) - 1):
            self.cone(part, points[i], points[i + 1], (radii[i], radii[i + 1]), material)

    def eye(self, side: str, centre: Float[ndarray, 3], radius: float, outward: Float[ndarray, 3]) -> None:
        """An eye of iris, pupil and glint looking `outward`; its part and landmark are `<side>_eye`."""
        part, outward = f"{side}_eye", outward / np.linalg.norm(outward)
        self.ball(part, centre, radius, Material.IRIS)
        self.ball(part, centre + 0.42 * radius * outward, radius * 0.72, Material.DARK)
        self.ball(part, centre + radius * (0.9 * outward + vector(0.15, 0.4, 0)), radius * 0.26, Material.GLINT)
        self.landmark(part, part, centre + radius * outward)

    def bounds(self, view: Float[ndarray, "3 3"]) -> Float[ndarray, "2 3"]:
        """Lowest and highest corner of the body under a linear view."""
        solids = self.seen_from(view, np.zeros(3))
        low = [solids.start - solids.radii[:, :1], solids.end - solids.radii[:, 1:], solids.centre - solids.extent]
        high = [solids.start + solids.radii[:, :1], solids.end + solids.radii[:, 1:], solids.centre + solids.extent]
        return np.stack((np.concatenate(low).min(0), np.concatenate(high).max(0)))

    def seen_from(self, view: Float[ndarray, "3 3"], origin: Float[ndarray, 3]) -> Solids:
        """The body in image axes: point p goes to origin + view p (a rotation and reflection times one scale)."""
        scale = float(np.linalg.norm(view[0]))
        start = np.array([c[2] for c in self.cones]) @ view.T + origin
        end = np.array([c[3] for c in self.cones]) @ view.T + origin
        axes = view @ np.array([e[3] for e in self.ellipsoids])
        covariance = axes @ axes.transpose(0, 2, 1)
        return Solids(
            start, end, np.array([c[4] for c in self.cones]) * scale,
            np.array([e[2] for e in self.ellipsoids]) @ view.T + origin,
            np.linalg.inv(covariance), np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)),
            tuple(s[0] for s in (*self.cones, *self.ellipsoids)),
            np.array([int(s[1]) for s in (*self.cones, *self.ellipsoids)]),
            {name: (part, view @ point + origin) for name, (part, point) in self.landmarks.items()},
        )
