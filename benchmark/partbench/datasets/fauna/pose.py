"""Pose and build of one individual, drawn from one distribution for every category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray


@dataclass(frozen=True)
class Pose:
    """Angles in radians; `girth`, `leg`, `neck`, `skull`, `tail` multiply the species' own proportions."""

    swing: Float[ndarray, "4"]  # left front, right front, left back, right back; forward is positive
    bend: Float[ndarray, "4"]  # knee, >= 0
    neck_pitch: float
    neck_yaw: float
    head_pitch: float
    head_yaw: float
    tail_lift: float  # in [-1, 1]
    tail_curl: float
    tail_sway: float
    ear_turn: float
    girth: float
    leg: float
    neck: float
    skull: float
    tail: float
    whim: float  # in [0, 1): decides optional details (horns of a sheep, raised wing of a bird)


def draw_pose(rng: np.random.Generator) -> Pose:
    """A standing, walking or head-down pose."""
    stride = rng.uniform(0.05, 0.5)
    phase = rng.uniform(0.0, 2 * np.pi)
    swing = stride * np.sin(phase + np.array((0.0, np.pi, np.pi, 0.0))) + rng.normal(0.0, 0.06, 4)
    bend = np.abs(rng.normal(0.0, 0.12, 4)) + np.maximum(0.0, -swing) * rng.uniform(0.2, 1.0)
    head_down = rng.random() < 0.15
    neck_pitch = rng.uniform(-1.15, -0.8) if head_down else rng.uniform(-0.3, 0.3)
    turn = rng.uniform(-0.55, 0.55)
    return Pose(
        swing,
        bend,
        neck_pitch,
        0.6 * turn,
        rng.uniform(-0.25, 0.25),
        turn,
        rng.uniform(-1, 1),
        rng.uniform(-1, 1),
        rng.uniform(-0.4, 0.4),
        rng.uniform(-0.3, 0.3),
        rng.uniform(0.88, 1.14),
        rng.uniform(0.9, 1.12),
        rng.uniform(0.88, 1.14),
        rng.uniform(0.92, 1.15),
        rng.uniform(0.85, 1.15),
        rng.random(),
    )
