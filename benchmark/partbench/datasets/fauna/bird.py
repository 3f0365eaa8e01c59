"""Anatomy of the bird: round body, wings, beak, fanned tail, two thin legs."""

from __future__ import annotations

import numpy as np

from .body import Body, Frame, Material, frame, vector
from .pose import Pose


def bird(pose: Pose) -> Body:
    """A perching bird of unit size."""
    body = Body()
    trunk = frame(0.5 + 0.45 * pose.tail_curl, 0.0)
    girth = 0.27 * pose.girth
    body.ellipsoid("torso", vector(0, 0, 0), trunk * (0.4, girth, girth * 0.95))
    body.ball("torso", trunk @ (0.12, -0.05, 0), girth * 0.95)
    body.landmark("back", "torso", trunk @ (-0.04, 0.86 * girth, 0))
    body.landmark("belly", "torso", trunk @ (-0.05, -0.86 * girth, 0))
    body.landmark("breast", "torso", trunk @ (0.27, -0.12, 0))
    _head(body, trunk, pose)
    for side, sign in (("left", -1), ("right", 1)):
        _wing(body, trunk, pose, (side, sign))
        _leg(body, pose, (side, sign))
    _tail(body, trunk, pose)
    return body


def _head(body: Body, trunk: Frame, pose: Pose) -> None:
    base = trunk @ (0.22, 0.08, 0)
    lean = frame(0.95 + 0.5 * max(pose.neck_pitch, -0.9), pose.neck_yaw)
    skull = 0.175 * pose.skull
    centre = base + lean @ (0.2 + 0.4 * (pose.neck - 0.88), 0, 0)
    body.cone("neck", base, centre, (0.2, skull * 0.8))
    body.landmark("nape", "neck", 0.45 * base + 0.55 * centre + lean @ (0, 0.13, 0))
    body.landmark("throat", "neck", 0.4 * base + 0.6 * centre - lean @ (0, 0.125, 0))
    face = frame(0.35 * pose.neck_pitch + 0.5 * pose.head_pitch, pose.neck_yaw + 0.5 * pose.head_yaw)
    body.ball("head", centre, skull)
    body.landmark("crown", "head", centre + face @ (-0.1 * skull, 0.85 * skull, 0))
    body.landmark("forehead", "head", centre + face @ (0.66 * skull, 0.58 * skull, 0))
    length = 0.2 * pose.tail + 0.08 * pose.whim
    tip = centre + face @ (0.8 * skull + length, -0.35 * skull, 0)
    body.cone("beak", centre + face @ (0.7 * skull, -0.08 * skull, 0), tip, (0.085, 0.012), Material.KERATIN)
    body.landmark("beak", "beak", centre + face @ (0.9 * skull + 0.35 * length, -0.2 * skull, 0))
    for side, sign in (("left", -1), ("right", 1)):
        eye = centre + face @ (0.5 * skull, 0.25 * skull, sign * 0.7 * skull)
        body.eye(side, eye, 0.042, face @ (0.6, 0.35, 0.72 * sign))


def _wing(body: Body, trunk: Frame, pose: Pose, which: tuple[str, int]) -> None:
    side, sign = which
    raised = pose.whim > 0.72
    spread = 0.5 + 0.6 * pose.tail_lift if raised else 0.0
    girth = 0.27 * pose.girth
    shoulder = trunk @ (0.12, 0.07, sign * girth * 0.85)
    along = trunk @ frame(np.pi + (-0.9 - 0.3 * spread if raised else 0.1), 0.0)
    out = vector(0, 0.25, sign * 0.8) if raised else vector(0, 0, 0)
    for k, (reach, drop) in enumerate(((0.21, 0.0), (0.31, 0.035), (0.4, 0.075))):
        size = (0.2, 0.125 - 0.022 * k, 0.06) if not raised else (0.22, 0.12 - 0.015 * k, 0.05)
        centre = shoulder + along @ (reach - 0.06, drop, 0) + out * reach * 0.5
        body.ellipsoid(f"{side}_wing", centre, along * size, Material.COAT if k == 0 else Material.SECOND)
    middle = shoulder + along @ (0.16, 0, 0) + out * 0.1 + vector(0, 0, sign * 0.06)
    body.landmark(f"{side}_wing", f"{side}_wing", middle)


def _leg(body: Body, pose: Pose, which: tuple[str, int]) -> None:
    side, sign = which
    part, foot = f"{side}_leg", f"{side}_foot"
    step = 0.5 * pose.swing[0 if sign < 0 else 1]
    hip = vector(-0.02, -0.16, sign * 0.12)
    knee = hip + vector(0.05 + 0.08 * step, -0.17, 0)
    ankle = knee + vector(0.22 * step - 0.02, -0.27 * pose.leg - 0.1 * (pose.leg - 0.9), 0)
    body.cone(part, hip, knee, (0.1, 0.05))
    body.cone(part, knee, ankle, (0.036, 0.027), Material.KERATIN)
    for heading, reach in ((-0.5, 0.13), (0.0, 0.15), (0.5, 0.13), (np.pi, 0.09)):
        toe = ankle + vector(reach * np.cos(heading), -0.02, reach * np.sin(heading))
        body.cone(foot, ankle, toe, (0.026, 0.016), Material.KERATIN)
    body.landmark(part, part, 0.6 * knee + 0.4 * ankle)
    body.feet.append(ankle)


def _tail(body: Body, trunk: Frame, pose: Pose) -> None:
    root = trunk @ (-0.33, 0.02, 0)
    length = 0.25 * pose.tail
    for fan in (-0.3, 0.0, 0.3):
        along = trunk @ frame(np.pi + 0.05 + 0.25 * pose.tail_lift + 0.25 * fan, 0.7 * fan)
        material = Material.SECOND if fan else Material.COAT
        body.ellipsoid("tail", root + along @ (length * 0.8, 0, 0), along * (length, 0.065, 0.05), material)
    middle = trunk @ frame(np.pi + 0.05 + 0.25 * pose.tail_lift, 0.0)
    body.landmark("tail", "tail", root + middle @ (length, 0, 0))
