"""Anatomy of the five quadrupeds: one skeleton, five sets of proportions."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin, tau

import numpy as np

from .body import Body, Material, Point, frame, vector
from .head import HeadBuild, add_head
from .pose import Pose

COAT, SECOND, KERATIN, PALE = Material.COAT, Material.SECOND, Material.KERATIN, Material.PALE


@dataclass(frozen=True)
class Build:
    """Proportions of a species, in units of about one trunk length; angles in radians above the horizontal."""

    trunk: float  # shoulder to hip
    girths: tuple[float, float, float]  # chest, waist, hips
    neck: tuple[float, float, float, float]  # length, angle, radius at the chest, radius at the head
    leg: tuple[float, float, float, float]  # length, radii at hip, knee, ankle
    foot: str  # paw or hoof
    segments: tuple[str, ...]  # fine parts of one leg, from the hip down
    tail: tuple[float, float, float, float]  # length, angle, radii at the root and the tip
    tuft: float  # radius of the hair at the end of the tail; 0 for none
    head: HeadBuild
    mane: bool = False
    wool: bool = False
    udder: bool = False


_PAW = ("leg", "leg", "paw")
_CLOVEN = ("upper_leg", "lower_leg", "lower_leg")
_HOOF = ("upper_leg", "lower_leg", "hoof")

BUILDS: dict[str, Build] = {
    "cat": Build(
        0.74,
        (0.185, 0.175, 0.195),
        (0.17, 0.75, 0.15, 0.125),
        (0.46, 0.115, 0.065, 0.05),
        "paw",
        _PAW,
        (0.95, 0.3, 0.06, 0.042),
        0.0,
        HeadBuild((0.175, 0.165, 0.19), 0.03, (0.1, 0.07), 0.1, "upright", nose=True),
    ),
    "dog": Build(
        0.78,
        (0.24, 0.19, 0.2),
        (0.3, 0.85, 0.17, 0.13),
        (0.6, 0.14, 0.075, 0.055),
        "paw",
        _PAW,
        (0.5, 0.75, 0.06, 0.03),
        0.0,
        HeadBuild((0.18, 0.16, 0.155), 0.22, (0.1, 0.075), 0.16, "floppy", nose=True),
    ),
    "horse": Build(
        0.88,
        (0.265, 0.25, 0.265),
        (0.56, 0.9, 0.2, 0.115),
        (0.9, 0.17, 0.075, 0.05),
        "hoof",
        _HOOF,
        (0.72, -0.75, 0.075, 0.105),
        0.0,
        HeadBuild((0.17, 0.13, 0.115), 0.33, (0.11, 0.08), 0.6, "narrow"),
        mane=True,
    ),
    "cow": Build(
        0.98,
        (0.34, 0.36, 0.33),
        (0.32, 0.35, 0.25, 0.16),
        (0.58, 0.17, 0.085, 0.062),
        "hoof",
        _CLOVEN,
        (0.72, -1.25, 0.035, 0.025),
        0.075,
        HeadBuild((0.18, 0.165, 0.155), 0.24, (0.13, 0.115), 0.55, "sideways", horn=0.3),
        udder=True,
    ),
    "sheep": Build(
        0.66,
        (0.29, 0.31, 0.3),
        (0.24, 0.7, 0.19, 0.13),
        (0.42, 0.1, 0.05, 0.038),
        "hoof",
        _CLOVEN,
        (0.27, -0.55, 0.085, 0.06),
        0.0,
        HeadBuild((0.16, 0.135, 0.12), 0.19, (0.09, 0.066), 0.5, "drooping", horn=0.13),
        wool=True,
    ),
}


def quadruped(species: str, pose: Pose) -> Body:
    """One individual of a species of BUILDS, standing with its spine along x."""
    build, body = BUILDS[species], Body()
    chest, waist, hips = (r * pose.girth for r in build.girths)
    front, rear = vector(build.trunk / 2, 0, 0), vector(-build.trunk / 2, 0.01, 0)
    middle = vector(0, -0.015 - 0.1 * max(waist - chest, 0.0), 0)
    body.chain("torso", [front, middle, rear], [chest, waist, hips])
    _legs(body, build, pose, (chest, hips))
    _tail(body, build, pose, rear + vector(-0.8 * hips, 0.5 * hips, 0))
    crown = _neck(body, build, pose, front + vector(0.25 * chest, 0.3 * chest, 0))
    horned = species == "cow" or pose.whim < 0.3
    add_head(body, build.head, pose, (crown, horned, build.wool))
    if build.wool:
        _wool(body, build.trunk, (chest + hips) / 2)
    if build.udder:
        body.ball("torso", rear + vector(0.2, -0.85 * hips, 0), 0.13, PALE)
    return body


def _neck(body: Body, build: Build, pose: Pose, base: Point) -> Point:
    length, angle, low, high = build.neck
    angle = angle + (pose.neck_pitch if pose.neck_pitch > -0.5 else pose.neck_pitch * (0.7 + 0.5 * build.mane))
    lean = frame(angle, pose.neck_yaw)
    crown = base + lean @ (length * pose.neck, 0, 0)
    body.cone("neck", base, crown, (low * pose.girth, high))
    if build.mane:
        along = (-0.1, 0.35, 0.75, 1.2)
        ridge = [base + lean @ (t * length * pose.neck, 0.8 * (low + t * (high - low)), 0) for t in along]
        body.chain("neck", ridge, [0.05, 0.085, 0.085, 0.07], SECOND)
        for sign in (-1, 1):
            lock = [p + lean @ (-0.03, -0.06, sign * 0.09) for p in ridge[1:]]
            body.chain("neck", lock, [0.05, 0.075, 0.06], SECOND)
    return crown


def _legs(body: Body, build: Build, pose: Pose, girths: tuple[float, float]) -> None:
    for k, (end, side) in enumerate((e, s) for e in ("front", "back") for s in ("left", "right")):
        sign, girth = (-1 if side == "left" else 1), girths[k // 2]
        x = build.trunk / 2 if end == "front" else -build.trunk / 2 - 0.02
        hip = vector(x, -0.3 * girth, sign * 0.52 * girth)
        # the hind leg goes forward to the knee and back to the hock
        angles = (pose.swing[k], pose.swing[k] - pose.bend[k])
        if end == "back":
            angles = (pose.swing[k] + 0.22, pose.swing[k] - 0.22 - 0.5 * pose.bend[k])
        _leg(body, build, (hip, angles, 0.7 * girth, pose.leg), f"{side}_{end}")


def _leg(body: Body, build: Build, joint: tuple[Point, tuple[float, float], float, float], which: str) -> None:
    hip, (thigh, shank), sunk, stretch = joint
    length, at_hip, at_knee, at_ankle = build.leg
    upper, lower, foot = (f"{which}_{segment}" for segment in build.segments)
    half = length * stretch / 2
    knee = hip + (half + 0.5 * sunk) * vector(sin(thigh), -cos(thigh), 0)
    ankle = knee + half * vector(sin(shank), -cos(shank), 0)
    hind = 1.25 if "back" in which else 1.0
    body.cone(upper, hip, knee, (at_hip * hind, at_knee))
    body.cone(lower, knee, ankle, (at_knee, at_ankle))
    if build.foot == "paw":
        body.cone(foot, ankle, ankle + vector(0.075, -0.02, 0), (at_ankle * 1.1, at_ankle))
    else:
        tip = vector(sin(shank), -cos(shank), 0) * 0.06 + vector(0.015, 0, 0)
        body.cone(foot, ankle + 0.2 * tip, ankle + tip, (at_ankle * 1.08, at_ankle * 1.25), KERATIN)
    body.feet.append(ankle)


def _tail(body: Body, build: Build, pose: Pose, root: Point) -> None:
    length, angle, thick, thin = build.tail
    steps = 2 if length < 0.3 else 5
    points, hanging = [root], angle < 0
    for k in range(steps):
        bend = 0.45 * pose.tail_lift + (k / steps) * ((-0.75 if hanging else 0.9) + 0.7 * pose.tail_curl)
        along = frame(max(angle + bend, -1.6), pose.tail_sway)
        points.append(points[-1] + along @ (length * pose.tail / steps, 0, 0) * (-1, 1, 1))
    radii = list(np.linspace(thick, thin, steps + 1))
    if build.mane:
        radii = [thick, 0.1, 0.115, 0.11, 0.085, 0.03]
    body.chain("tail", points, radii, SECOND if build.mane else COAT)
    if build.tuft:
        body.cone("tail", points[-1], points[-1] + vector(0, -0.12, 0), (build.tuft, build.tuft * 0.5), SECOND)


def _wool(body: Body, trunk: float, girth: float) -> None:
    """Tufts in staggered rings around the trunk: the scalloped outline of a fleece."""
    for ring, x in enumerate(np.linspace(-0.62, 0.62, 5)):
        around = girth * (0.82 if ring in (0, 4) else 0.95)
        for turn in (k * tau / 7 + 0.45 * (ring % 2) for k in range(7)):
            if cos(turn) > -0.9:  # none under the belly
                body.ball("torso", vector(x * trunk, around * cos(turn), around * sin(turn)), 0.115)
    for sign in (-1, 1):
        for height in (-0.5, 0.0, 0.5):
            body.ball("torso", vector(sign * (trunk / 2 + 0.72 * girth), height * girth, 0), 0.125)
