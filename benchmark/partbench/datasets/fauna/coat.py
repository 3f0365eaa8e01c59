"""Colours and coat pattern of an animal; the category plays no part in them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from .body import Material

PATTERNS = ("plain", "spots", "stripes", "patches", "wool")
UNMARKED = ("plain", "wool")

# black, slate, dark brown, chestnut, ginger, tan, cream, white, grey: red, green, blue in [0, 1]
_FUR = np.array(
    (
        (0.13, 0.12, 0.12),
        (0.30, 0.32, 0.36),
        (0.28, 0.19, 0.13),
        (0.46, 0.26, 0.14),
        (0.74, 0.44, 0.18),
        (0.71, 0.56, 0.38),
        (0.89, 0.82, 0.67),
        (0.93, 0.92, 0.90),
        (0.57, 0.56, 0.54),
    )
)
_HORN = np.array(((0.85, 0.75, 0.50), (0.45, 0.38, 0.30), (0.90, 0.58, 0.16), (0.22, 0.20, 0.20)))
_IRIS = np.array(((0.80, 0.62, 0.20), (0.45, 0.30, 0.14), (0.50, 0.62, 0.30), (0.88, 0.86, 0.80)))


@dataclass(frozen=True)
class Coat:
    """`colours`: one row per Material; `marking` is the second colour of the pattern (RGB in [0, 1])."""

    colours: Float[ndarray, "materials 3"]
    marking: Float[ndarray, "3"]
    pattern: str
    frequency: float  # stripes per frame
    angle: float
    cover: float  # share of the coat that is marked
    noise: Float[ndarray, "l l"]  # lattice of the spots or patches
    pile: Float[ndarray, "m m"]  # fine lattice of the hair
    rough: float
    countershade: float


def _fur(rng: np.random.Generator) -> Float[ndarray, "3"]:
    colour = _FUR[rng.integers(len(_FUR))] + rng.normal(0, 0.03, 3)
    bright = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, 0.75), rng.uniform(0.35, 0.9)))
    return np.clip(bright if rng.random() < 0.2 else colour, 0.06, 0.96)


def draw_coat(rng: np.random.Generator) -> Coat:
    """A coat of one of PATTERNS in natural, sometimes bright colours."""
    base, marking, pattern = _fur(rng), _fur(rng), PATTERNS[rng.integers(len(PATTERNS))]
    second = marking if rng.random() < 0.6 else base * rng.uniform(0.55, 0.85)
    horn, iris = _HORN[rng.integers(len(_HORN))], _IRIS[rng.integers(len(_IRIS))]
    pale = 0.55 * base + 0.45 * np.array((0.92, 0.72, 0.66))
    colours = np.zeros((len(Material), 3))
    for material, colour in (
        (Material.COAT, base),
        (Material.SECOND, second),
        (Material.KERATIN, horn),
        (Material.DARK, (0.05, 0.045, 0.05)),
        (Material.IRIS, iris),
        (Material.GLINT, (1.0, 1.0, 1.0)),
        (Material.PALE, pale),
    ):
        colours[material] = colour
    lattice = int(rng.integers(22, 34)) if pattern == "spots" else int(rng.integers(7, 11))
    return Coat(
        colours,
        marking,
        pattern,
        rng.uniform(9, 18),
        rng.uniform(0, np.pi),
        rng.uniform(0.25, 0.5),
        rng.random((lattice, lattice)),
        rng.random((56, 56)),
        rng.uniform(0.3, 0.5) if pattern == "wool" else rng.uniform(0.04, 0.16),
        rng.uniform(0.0, 0.2),
    )


def field(lattice: Float[ndarray, "l l"], size: int) -> Float[ndarray, "size size"]:
    """A random lattice as a smooth field over the frame, the same at every size."""
    return cv2.resize(lattice.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)


def marked(coat: Coat, size: int, window: tuple[slice, slice]) -> Float[ndarray, "h w"]:
    """How far each pixel of a window shows the marking colour, in [0, 1]; not for an UNMARKED pattern."""
    noise = field(coat.noise, size)[window]
    if coat.pattern == "stripes":
        along = (2 * np.pi * coat.frequency) * (np.arange(size, dtype=np.float32) + 0.5) / size
        phase = np.cos(coat.angle) * along[window[1]] + np.sin(coat.angle) * along[window[0], None]
        wave = np.sin(phase.astype(np.float32) + 5 * noise)
        return np.clip(2.5 * wave + np.float32(5 * coat.cover - 2), 0, 1)
    level = np.quantile(coat.noise, 1 - 0.8 * coat.cover)
    return np.clip(9 * noise + np.float32(0.5 - 9 * level), 0, 1)
