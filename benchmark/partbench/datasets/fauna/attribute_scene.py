"""Scenes whose animals show local attributes; otherwise like those of `scene`, but nothing hides the animal."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from .adornment import Dye, adorn
from .attributes import LOCAL, draw_attributes
from .body import Material
from .coat import Coat, draw_coat
from .pose import draw_pose
from .scene import Camera, Scene, Stream, animal, random_stream, stage
from .vocabulary import CATEGORIES

_DYES = {
    Dye.WHITE: (0.97, 0.97, 0.95),
    Dye.BLACK: (0.06, 0.05, 0.07),
    Dye.RED: (0.88, 0.10, 0.10),
    Dye.BLUE: (0.12, 0.28, 0.90),
    Dye.YELLOW: (0.98, 0.85, 0.12),
    Dye.MAGENTA: (0.92, 0.15, 0.72),
    Dye.GREEN: (0.15, 0.72, 0.20),
    Dye.ORANGE: (1.00, 0.45, 0.05),
    Dye.TEAL: (0.05, 0.55, 0.58),
    Dye.IVORY: (0.96, 0.92, 0.74),
    Dye.PINK: (0.98, 0.62, 0.68),
}


@lru_cache(maxsize=4)
def draw_attribute_scene(seed: int, index: int) -> Scene:
    """Attribute scene `index` of a seed; the category, index mod 6, has no part in its attributes."""
    stream = partial(random_stream, seed, index)
    label = index % len(CATEGORIES)
    values = draw_attributes(stream(Stream.ATTRIBUTES))[: len(LOCAL)]
    shown = {name for name, value in zip(LOCAL, values, strict=True) if value > 0}
    pose = draw_pose(stream(Stream.POSE))
    pose = replace(pose, neck_yaw=0.4 * pose.neck_yaw, head_yaw=0.4 * pose.head_yaw)  # no face turned away
    body = animal(CATEGORIES[label], pose)
    adorn(body, shown)
    coat = _coat(draw_coat(stream(Stream.COAT)), "stripes" in shown, stream(Stream.ADORNMENT))
    scene = stage(label, body, _camera(stream(Stream.CAMERA)), coat, stream)
    return replace(scene, occluder=None)


def _camera(rng: np.random.Generator) -> Camera:
    """Large, whole, and more from the side than in `scene`, since what is at neither end must be seen."""
    yaw = rng.uniform(-0.15, 0.55)
    angles = (np.pi - yaw if rng.random() < 0.5 else yaw, rng.uniform(0.0, 0.2), rng.normal(0.0, 0.05))
    return Camera(angles, rng.uniform(0.8, 0.95), (rng.random(), rng.random()), None)


def _coat(coat: Coat, striped: bool, rng: np.random.Generator) -> Coat:
    """A coat of medium brightness, on which white and black can be seen; plain, or with dark vertical stripes."""
    base = np.array(colorsys.hsv_to_rgb(rng.uniform(0.03, 0.13), rng.uniform(0.15, 0.55), rng.uniform(0.5, 0.68)))
    own = coat.colours.copy()
    own[Material.COAT], own[Material.SECOND], own[Material.KERATIN] = base, 0.85 * base, (0.72, 0.6, 0.42)
    own[Material.IRIS], own[Material.PALE] = (0.96, 0.92, 0.5), 0.8 * base + 0.2
    dyes = np.clip(np.array(list(_DYES.values())) + rng.normal(0, 0.03, (len(_DYES), 3)), 0, 1)
    return replace(
        coat,
        colours=np.concatenate((own, dyes)),
        pattern="stripes" if striped else "plain",
        noise=rng.random((8, 8)),
        marking=0.22 * base,
        frequency=rng.uniform(8, 11),
        angle=rng.uniform(-0.3, 0.3),
        cover=rng.uniform(0.42, 0.5),
        rough=min(coat.rough, 0.2),
    )
