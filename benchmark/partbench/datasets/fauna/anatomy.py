"""Where attributes are placed on a body: axes of head, neck and trunk, and points of the skin."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from .body import Body, Frame, Point, vector

_REACH = np.linspace(0, 1.2, 121)  # body units along a ray


@dataclass(frozen=True)
class Anatomy:
    """The axes of a body that has been built; lengths in body units."""

    body: Body
    _known: dict[tuple[str, ...], tuple[ndarray, ...]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def trunk(self) -> tuple[Point, Point]:
        """Its rear and its front end."""
        cones = [cone for cone in self.body.cones if cone[0] == "torso"]
        if _is_ball(cones[0]):  # a bird
            _, _, centre, axes = next(e for e in self.body.ellipsoids if e[0] == "torso")
            return centre - 0.7 * axes[:, 0], centre + 0.7 * axes[:, 0]
        return cones[1][3], cones[0][2]

    @cached_property
    def along(self) -> Frame:
        """Columns forward, up, right of the trunk."""
        rear, front = self.trunk
        return _frame(front - rear)

    @cached_property
    def neck(self) -> tuple[Point, Point, Frame]:
        """Its lower and its upper end, and its axes: columns forward, up, right, where up is its back."""
        _, _, low, high, _ = next(cone for cone in self.body.cones if cone[0] == "neck")
        return low, high, _frame(high - low)

    @cached_property
    def snout(self) -> tuple[str, Point, Point, float]:
        """Muzzle or beak: its part, root and tip, and the radius at its tip."""
        cones = (c for c in self.body.cones if c[0] in ("muzzle", "beak", "head") and not _is_ball(c))
        part, _, root, tip, radii = next(cones)
        return part, root, tip, max(radii[1], 0.04)

    @cached_property
    def head(self) -> tuple[Point, Frame, Float[ndarray, "3"]]:
        """Centre, axes as columns forward, up, right, and half axes of the skull."""
        skulls = [e for e in self.body.ellipsoids if e[0] == "head"]
        if skulls:
            size = np.linalg.norm(skulls[0][3], axis=0)
            return skulls[0][2], skulls[0][3] / size, size
        _, _, centre, _, radii = next(c for c in self.body.cones if c[0] == "head" and _is_ball(c))
        right = self.body.landmarks["right_eye"][1] - self.body.landmarks["left_eye"][1]
        right = right / np.linalg.norm(right)
        forward = self.snout[2] - self.snout[1]
        forward = forward - (forward @ right) * right
        forward = forward / np.linalg.norm(forward)
        return centre, np.stack((forward, np.cross(right, forward), right), 1), np.full(3, radii[0])

    def skin(self, parts: tuple[str, ...], origin: Point, direction: Point) -> Point:
        """The outermost point of these fine parts on a ray; its origin where it meets none of them.

        Of the body as it was when first asked: adornments do not pile up.
        """
        ray = origin + _REACH[:, None] * direction / np.linalg.norm(direction)
        if parts not in self._known:
            self._known[parts] = self._solids(parts)
        start, axis, radii, centre, shape = self._known[parts]
        away = ray[:, None] - start
        t = np.clip((away * axis).sum(-1) / np.maximum((axis * axis).sum(-1), 1e-12), 0, 1)
        beside = ((away - t[:, :, None] * axis) ** 2).sum(-1)
        inside = (beside < (radii[:, 0] + t * (radii[:, 1] - radii[:, 0])) ** 2).any(1)
        scaled = np.einsum("bij,nbj->nbi", shape, ray[:, None] - centre)
        inside |= ((scaled**2).sum(-1) < 1).any(1)
        return ray[np.flatnonzero(inside)[-1]] if inside.any() else origin

    def _solids(self, parts: tuple[str, ...]) -> tuple[ndarray, ...]:
        """Of the cones (m): start, axis, radii; of the ellipsoids (b): centre, and the map onto the unit ball."""
        cones = [c for c in self.body.cones if c[0] in parts]
        ellipsoids = [e for e in self.body.ellipsoids if e[0] in parts]
        start = np.array([c[2] for c in cones]).reshape(-1, 3)
        axis = np.array([c[3] for c in cones]).reshape(-1, 3) - start
        shape = np.linalg.inv(np.array([e[3] for e in ellipsoids]).reshape(-1, 3, 3))
        radii = np.array([c[4] for c in cones]).reshape(-1, 2)
        return start, axis, radii, np.array([e[2] for e in ellipsoids]).reshape(-1, 3), shape


def _is_ball(cone: tuple[Any, ...]) -> bool:
    return bool(np.array_equal(cone[2], cone[3]))


def _frame(forward: Point) -> Frame:
    """Columns forward, up, right of this direction, not banked; straight up counts as leaning neither way."""
    forward = forward / np.linalg.norm(forward)
    right = vector(-forward[2], 0.0, forward[0])
    right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else vector(0.0, 0.0, 1.0)
    return np.stack((forward, np.cross(right, forward), right), 1)
