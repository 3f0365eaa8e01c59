"""The scene of one image: every random choice, made once per (seed, index) in units of the frame.

Colours, coat patterns, backdrop, light and occluder come from random streams of their own and know nothing of the
category, so that only the shape of the animal tells it. A new stream leaves all earlier draws as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from .backdrop import Backdrop, Blob, draw_backdrop, draw_blob
from .bird import bird
from .body import Body, Solids
from .coat import Coat, draw_coat
from .pose import Pose, draw_pose
from .quadruped import quadruped
from .vocabulary import CATEGORIES, FAUNA, Vocabulary


class Stream(IntEnum):
    """Random streams of one image."""

    POSE = 0
    CAMERA = 1
    COAT = 2
    BACKDROP = 3
    LIGHT = 4
    OCCLUDER = 5
    ATTRIBUTES = 6
    ADORNMENT = 7
    THING = 8


@dataclass(frozen=True)
class Light:
    """Direction towards the light in image axes (unit length), and how bright, harsh and tinted the picture is."""

    direction: Float[ndarray, "3"]
    ambient: float
    brightness: float
    contrast: float
    tint: Float[ndarray, "3"]
    outline: float


@dataclass(frozen=True)
class Camera:
    """Yaw, pitch, roll in radians; size and place of the animal's bounding box in units of the frame."""

    angles: tuple[float, float, float]
    size: float
    place: tuple[float, float]
    cut: tuple[float, int] | None  # share of the animal outside the frame, and side: left, right, top, bottom


@dataclass(frozen=True)
class Scene:
    label: int
    solids: Solids
    shadow: Float[ndarray, "*shadows 4"]  # centre x, y and radii of the soft shadow under the feet; one or several
    coat: Coat
    backdrop: Backdrop
    light: Light
    occluder: Blob | None
    vocabulary: Vocabulary = FAUNA


@lru_cache(maxsize=4)
def draw_scene(seed: int, index: int) -> Scene:
    """The scene of image `index` of the data set `seed`; label = index mod 6."""
    stream = partial(random_stream, seed, index)
    label = index % len(CATEGORIES)
    body = animal(CATEGORIES[label], draw_pose(stream(Stream.POSE)))
    return stage(label, body, draw_camera(stream(Stream.CAMERA)), draw_coat(stream(Stream.COAT)), stream)


def random_stream(seed: int, index: int, which: Stream) -> np.random.Generator:
    """One of the random streams of image `index` of the data set `seed`."""
    return np.random.Generator(np.random.Philox(key=(seed, index), counter=(0, 0, 0, int(which))))


def stage(label: int, body: Body, camera: Camera, coat: Coat, stream: Callable[[Stream], np.random.Generator]) -> Scene:
    """A body put into the frame, with the backdrop, light and occluder of these streams."""
    view = view_of(camera.angles)
    solids = body.seen_from(view)
    zoom, offset, bounds = _place(solids, camera)
    feet = zoom * np.array(body.feet) @ view.T + offset
    spread = 0.5 * np.ptp(bounds[:, 0])
    shadow = np.array((feet[:, 0].mean(), feet[:, 1].max() + 0.01, 0.85 * spread, 0.22 * spread))
    backdrop = draw_backdrop(stream(Stream.BACKDROP), float(coat.colours[0].mean()))
    occluder = _draw_occluder(stream(Stream.OCCLUDER), np.clip(bounds, 0, 1))
    light = draw_light(stream(Stream.LIGHT))
    return Scene(label, solids.moved(zoom, offset), shadow, coat, backdrop, light, occluder)


def animal(category: str, pose: Pose) -> Body:
    """An individual of a category, bare."""
    return bird(pose) if category == "bird" else quadruped(category, pose)


def draw_camera(rng: np.random.Generator) -> Camera:
    """From the side or obliquely in front; in a fifth of the images the animal is cut off by the frame."""
    yaw = rng.uniform(-0.3, 0.85)
    facing_left = rng.random() < 0.5
    angles = (np.pi - yaw if facing_left else yaw, rng.uniform(0.0, 0.3), rng.normal(0.0, 0.06))
    size, place = rng.uniform(0.5, 0.85), (rng.random(), rng.random())
    cut = (rng.uniform(0.08, 0.25), int(rng.integers(4)))
    return Camera(angles, size, place, cut if rng.random() < 0.2 else None)


def view_of(angles: tuple[float, float, float]) -> Float[ndarray, "3 3"]:
    """Orthogonal map from body axes to image axes, for a yaw, pitch and roll."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in angles for f in (np.cos, np.sin))
    turn = np.array(((cy, 0, -sy), (0, 1, 0), (sy, 0, cy)))
    tilt = np.array(((1, 0, 0), (0, cp, -sp), (0, sp, cp)))
    bank = np.array(((cr, -sr, 0), (-sr, -cr, 0), (0, 0, 1)))
    return bank @ tilt @ turn


def _place(solids: Solids, camera: Camera) -> tuple[float, Float[ndarray, "3"], Float[ndarray, "2 2"]]:
    """Zoom and offset that put the solids into the frame, and their box there; `size` is the root of its area."""
    low, high = solids.corners()
    low, high = low.min(0)[:2], high.max(0)[:2]
    zoom = min(camera.size / np.sqrt((high - low).prod()), 0.93 / (high - low).max())
    low, spans, margin = zoom * low, zoom * (high - low), 0.02
    corner = margin + np.array(camera.place) * (1 - 2 * margin - spans)
    if camera.cut is not None:
        share, side = camera.cut
        axis, far = divmod(side, 2)
        corner[axis] = 1 - spans[axis] * (1 - share) if far else -share * spans[axis]
    return float(zoom), np.append(corner - low, 0.0), np.stack((corner, corner + spans))


def draw_light(rng: np.random.Generator) -> Light:
    around, height = rng.uniform(-1.2, 1.2), rng.uniform(0.5, 1.2)
    direction = np.array((np.sin(around) * np.cos(height), -np.sin(height), np.cos(around) * np.cos(height)))
    return Light(
        direction,
        rng.uniform(0.4, 0.62),
        rng.uniform(0.8, 1.12),
        rng.uniform(0.8, 1.15),
        1 + rng.uniform(-0.05, 0.05, 3),
        rng.uniform(0.35, 0.7),
    )


def _draw_occluder(rng: np.random.Generator, bounds: Float[ndarray, "2 2"]) -> Blob | None:
    """In a quarter of the images, something in front of a part of the animal."""
    if rng.random() >= 0.25:
        return None
    at, reach = rng.uniform(0, 1, 2), rng.uniform(0.1, 0.2)
    spans = bounds[1] - bounds[0]
    centre = bounds[0] + at * spans
    return draw_blob(rng, tuple(centre), reach * np.sqrt(spans.prod()))
