"""Head of a quadruped: skull, muzzle, eyes, ears, horns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from .body import Body, Frame, Material, Point, frame, vector
from .pose import Pose

Skull = tuple[Point, Frame, Float[ndarray, "3"]]  # centre, axes, half axes
Triple = tuple[float, float, float]
Ear = tuple[Triple, Triple, float, float, Material]  # root, direction, half length, half width, material
SIDES = (("left", -1), ("right", 1))


@dataclass(frozen=True)
class HeadBuild:
    """Proportions of a head, in body units."""

    skull: tuple[float, float, float]  # half axes forward, up, sideways
    muzzle: float  # length beyond the skull
    snout: tuple[float, float]  # radii of the muzzle at the skull and at the tip
    droop: float  # angle of the muzzle below the neck's horizon
    ears: str  # upright, narrow, floppy, sideways or drooping
    nose: bool = False  # the nose is a part of its own (cat, dog)
    horn: float = 0.0  # length; 0 for none


def add_head(body: Body, build: HeadBuild, pose: Pose, joint: tuple[Point, bool, bool]) -> None:
    """Put a head on the upper end of the neck; `joint` is (point, has horns, is woolly)."""
    crown, horned, woolly = joint
    pitch = 0.45 * pose.head_pitch - build.droop + 0.55 * pose.neck_pitch
    face = frame(pitch, pose.neck_yaw + pose.head_yaw)
    size = np.array(build.skull) * pose.skull
    centre = crown + face @ (0.35 * size[0], 0.1 * size[1], 0)
    body.ellipsoid("head", centre, face * size)
    _muzzle(body, build, (centre, face, size))
    for side, sign in SIDES:
        outward = np.array((0.5, 0.3, 0.85 * sign)) if build.nose else np.array((0.25, 0.35, 0.9 * sign))
        spot = np.array((0.66, 0.22, 0.55 * sign)) if build.nose else np.array((0.5, 0.3, 0.68 * sign))
        body.eye(side, centre + face @ (spot * size), 0.04, face @ outward)
        _EARS[build.ears](body, (centre, face, size), (f"{side}_ear", sign), pose.ear_turn)
        if build.horn and horned:
            _horn(body, (centre, face, size), (f"{side}_horn", sign), build.horn)
    if woolly:
        for x, z in ((0.0, 0.0), (-0.5, 0.5), (-0.5, -0.5)):
            body.ball("head", centre + face @ (np.array((x, 0.8, z)) * size), 0.075)


def _muzzle(body: Body, build: HeadBuild, skull: Skull) -> None:
    centre, face, size = skull
    part = "head" if build.nose and build.muzzle < 0.1 else "muzzle"
    base = centre + face @ (0.5 * size[0], -0.28 * size[1], 0)
    tip = base + face @ (0.35 * size[0] + build.muzzle, -0.12 * size[1], 0)
    body.cone(part, base, tip, build.snout, Material.PALE if part == "head" else Material.COAT)
    end = build.snout[1]
    if build.nose:
        body.ball("nose", tip + face @ (0.85 * end, 0.4 * end, 0), 0.02 + 0.2 * end, Material.DARK)
        body.landmark("nose", "nose", tip + face @ (1.1 * end, 0.5 * end, 0))
        return
    body.ball(part, tip + face @ (0.15 * end, 0, 0), end * 1.02, Material.PALE)
    for _, sign in SIDES:
        body.ball(part, tip + face @ (0.95 * end, 0.3 * end, 0.5 * sign * end), 0.2 * end, Material.DARK)
    body.landmark("nose", part, tip + face @ (1.15 * end, 0.1 * end, 0))


def _upright(body: Body, skull: Skull, which: tuple[str, int], turn: float) -> None:
    (centre, face, size), (part, sign) = skull, which
    base = centre + face @ (np.array((-0.05, 0.6, 0.6 * sign)) * size)
    tip = base + face @ (-0.02, 0.2, sign * (0.075 + 0.08 * turn))
    body.cone(part, base, tip, (0.078, 0.008))
    inner = face @ (0.04, 0.0, sign * 0.008)
    body.cone(part, base + inner, 0.2 * base + 0.8 * tip + inner, (0.05, 0.004), Material.PALE)
    body.landmark(part, part, 0.5 * base + 0.5 * tip)


def _narrow(body: Body, skull: Skull, which: tuple[str, int], turn: float) -> None:
    (centre, face, size), (part, sign) = skull, which
    base = centre + face @ (np.array((-0.45, 0.75, 0.5 * sign)) * size)
    mid = base + face @ (-0.01 + 0.1 * turn, 0.09, 0.03 * sign)
    tip = mid + face @ (0.02, 0.09, -0.01 * sign)
    body.chain(part, [base, mid, tip], [0.035, 0.045, 0.008])
    body.landmark(part, part, mid)


def _hanging(body: Body, skull: Skull, which: tuple[str, int], ear: Ear) -> None:
    """A flat ear; its root is in units of the skull's half axes."""
    (centre, face, size), (part, sign) = skull, which
    root, direction, length, width, material = ear
    along = np.array(direction) / np.linalg.norm(direction)
    flat = vector(0.0, along[2], -along[1]) / np.hypot(along[1], along[2])  # across the ear's thickness
    wide = vector(along[1] * flat[2] - along[2] * flat[1], -along[0] * flat[2], along[0] * flat[1])
    axes = np.stack((along * length, wide * width, flat * 0.035), 1)
    middle = centre + face @ (np.array(root) * size * (1, 1, sign) + along * length * 0.85 * (1, 1, sign))
    axes = axes * np.array((1, 1, sign))[:, None]
    body.ellipsoid(part, middle, face @ axes, material)
    body.landmark(part, part, middle)


def _floppy(body: Body, skull: Skull, which: tuple[str, int], turn: float) -> None:
    ear = ((-0.3, 0.65, 0.75), (-0.15 + turn, -1.0, 0.25), 0.16, 0.085, Material.SECOND)
    _hanging(body, skull, which, ear)


def _sideways(body: Body, skull: Skull, which: tuple[str, int], turn: float) -> None:
    _hanging(body, skull, which, ((-0.55, 0.45, 0.75), (-0.25 + turn, 0.05, 1.0), 0.14, 0.065, Material.COAT))


def _drooping(body: Body, skull: Skull, which: tuple[str, int], turn: float) -> None:
    _hanging(body, skull, which, ((-0.25, 0.35, 0.8), (-0.2 + turn, -0.45, 0.9), 0.15, 0.06, Material.COAT))


_EARS = {"upright": _upright, "narrow": _narrow, "floppy": _floppy, "sideways": _sideways, "drooping": _drooping}


def _horn(body: Body, skull: Skull, which: tuple[str, int], length: float) -> None:
    (centre, face, size), (part, sign) = skull, which
    root = centre + face @ (np.array((-0.35, 0.8, 0.5 * sign)) * size)
    first = root + face @ (np.array((0.0, 0.35, 0.75 * sign)) * length * 0.6)
    last = first + face @ (np.array((0.2, 0.9, 0.1 * sign)) * length * 0.6)
    body.chain(part, [root, first, last], [0.045, 0.036, 0.01], Material.KERATIN)
