"""What lies behind the animal, and what stands in front of it."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from .coat import field

_SHIFT = 4  # fractional bits of OpenCV's polygon corners


@dataclass(frozen=True)
class Blob:
    """A polygon in units of the frame with a colour (RGB in [0, 1])."""

    corners: Float[ndarray, "c 2"]
    colour: Float[ndarray, "3"]


@dataclass(frozen=True)
class Backdrop:
    """A vertical gradient, ridges of hills, clutter, coarse and fine mottling; then out of focus by `blur`."""

    colours: Float[ndarray, "2 3"]
    blobs: tuple[Blob, ...]
    mottle: tuple[Float[ndarray, "l l 3"], Float[ndarray, "m m"]]
    strength: tuple[float, float]
    blur: float
    shadow: float


_AROUND = np.linspace(0, 2 * np.pi, 36, endpoint=False)
_ROUND = np.stack((np.cos(_AROUND), np.sin(_AROUND)), 1)
_BAR = np.array(((-0.35, -2.2), (0.35, -2.2), (0.35, 2.2), (-0.35, 2.2)))


def _colour(rng: np.random.Generator) -> Float[ndarray, "3"]:
    """A muted colour of a natural hue three times in four, otherwise any hue."""
    natural, any_hue = rng.random() < 0.75, rng.random()
    hue = (0.04 + 0.36 * any_hue if any_hue < 0.7 else 0.5 + 0.5 * (any_hue - 0.7)) if natural else any_hue
    return np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.05, 0.5), rng.uniform(0.2, 0.95)))


def draw_blob(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Blob:
    """A boulder, a leaf or a post: a round outline with random bumps, a narrow one, or a bar."""
    kind, turn, bumps = rng.integers(3), rng.uniform(0, np.pi), rng.uniform(-0.12, 0.12, (2, 3))
    if kind == 2:
        outline, turn = _BAR, 0.2 * (turn - np.pi / 2)
    else:
        wobble = 1 + bumps[0] @ (_ROUND.T[0], _ROUND.T[1], 2 * _ROUND.T[0] * _ROUND.T[1])
        wobble = wobble + bumps[1] @ (np.cos(2 * _AROUND), np.cos(3 * _AROUND), 0.6 * np.sin(5 * _AROUND))
        outline = _ROUND * wobble[:, None] * ((1.6, 0.5) if kind == 1 else (1.0, 1.0))
    spin = np.array(((np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))))
    return Blob(np.array(centre) + radius * outline @ spin, _colour(rng))


def _ridge(rng: np.random.Generator, height: float, colour: Float[ndarray, "3"]) -> Blob:
    """Everything below a wavy horizon."""
    x = np.linspace(-0.05, 1.05, 24)
    amplitude = rng.uniform(0.01, 0.09)
    y = height + amplitude * sum(np.sin(rng.uniform(2, 12) * x + rng.uniform(0, 6.3)) / k for k in (1, 2, 3))
    return Blob(np.concatenate((np.stack((x, y), 1), ((1.05, 1.1), (-0.05, 1.1)))), colour)


def draw_backdrop(rng: np.random.Generator, coat_brightness: float) -> Backdrop:
    """A backdrop; its colours are shifted away from the brightness of the coat where they would hide the animal."""
    colours = np.stack((_colour(rng), _colour(rng)))
    if rng.random() < 0.5:
        colours[1] = np.clip(colours[0] + rng.normal(0, 0.12, 3), 0, 1)
    ground, blobs = _colour(rng), []
    if rng.random() < 0.55:
        height = rng.uniform(0.25, 0.75)
        for k in range(int(rng.integers(1, 4))):
            blobs.append(_ridge(rng, height + 0.13 * k, np.clip(ground * (1 - 0.16 * k), 0, 1)))
    for _ in range(int(rng.integers(0, 9))):
        blobs.append(draw_blob(rng, tuple(rng.uniform(0, 1, 2)), rng.uniform(0.02, 0.11)))
    grain, contrast = int(rng.integers(4, 20)), 0.24
    gap = float(colours.mean()) - coat_brightness
    shift = 0.0 if abs(gap) > contrast else (contrast - abs(gap)) * (1 if coat_brightness < 0.5 else -1)
    colours = np.clip(colours + shift, 0, 1)
    blobs = [Blob(b.corners, np.clip(b.colour + shift, 0, 1)) for b in blobs]
    return Backdrop(
        colours,
        tuple(blobs),
        (_mottle(rng, grain), rng.random((48, 48))),
        (rng.uniform(0, 0.3), rng.uniform(0, 0.25)),
        rng.uniform(0, 0.012),
        rng.uniform(0.2, 0.55),
    )


def _mottle(rng: np.random.Generator, grain: int) -> Float[ndarray, "l l 3"]:
    """Random light and dark with a little random colour, on a lattice."""
    return 0.7 * rng.random((grain, grain, 1)) + 0.3 * rng.random((grain, grain, 3))


def fill(canvas: ndarray, corners: Float[ndarray, "c 2"], colour: Any, line: int = cv2.LINE_8) -> None:
    """Fill a polygon given in units of the frame. Pixel centres lie at (i + 0.5) / size."""
    points = np.round((corners * canvas.shape[0] - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [points], colour, lineType=line, shift=_SHIFT)


def paint_backdrop(backdrop: Backdrop, size: int) -> Float[ndarray, "size size 3"]:
    """RGB in [0, 1] (not yet clipped), without the animal."""
    down = ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None, None]
    top, bottom = 255 * backdrop.colours.astype(np.float32)
    canvas = np.tile((top + down * (bottom - top)).astype(np.uint8), (1, size, 1))
    for blob in backdrop.blobs:
        fill(canvas, blob.corners, tuple((255 * blob.colour).tolist()), cv2.LINE_AA)
    if backdrop.blur * size > 0.3:
        canvas = cv2.GaussianBlur(canvas, (0, 0), backdrop.blur * size)
    coarse, fine = backdrop.strength
    picture = canvas * np.float32(1 / 255) + np.float32(coarse) * (field(backdrop.mottle[0], size) - 0.5)
    return picture * (1 + np.float32(fine) * (field(backdrop.mottle[1], size) - 0.5))[:, :, None]


def cast_shadow(canvas: Float[ndarray, "s s 3"], shadow: Float[ndarray, "*shadows 4"], strength: float) -> None:
    """Darken the ground under the feet, in place: soft ellipses (centre x, y, radii)."""
    along = (np.arange(canvas.shape[0], dtype=np.float32) + 0.5) / canvas.shape[0]
    for ellipse in np.atleast_2d(shadow):
        x, y, rx, ry = (np.float32(v) for v in ellipse)
        weight = np.exp(-(((along - x) / rx) ** 2))[None] * np.exp(-(((along - y) / ry) ** 2))[:, None]
        canvas *= (1 - np.float32(strength) * weight)[:, :, None]


def paint_occluder(canvas: Float[ndarray, "s s 4"], blob: Blob) -> ndarray:
    """Draw the occluder over the animal, in place (red, green, blue, 1); returns where it is (s, s) bool."""
    size = canvas.shape[0]
    where = np.zeros((size, size), np.uint8)
    fill(where, blob.corners, 1)
    down = ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None, None]
    low, high = blob.corners[:, 1].min(), blob.corners[:, 1].max()
    shade = 1.1 - 0.45 * (down - np.float32(low)) / np.float32(high - low)
    paint = np.append(np.minimum(shade * blob.colour, 1), np.ones((size, 1, 1)), 2).astype(np.float32)
    inside = where.astype(bool)
    np.copyto(canvas, paint, where=inside[:, :, None])
    return inside
