"""The room behind the objects, and the colours of objects. The category plays no part in either."""

from __future__ import annotations

import colorsys

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from partbench.datasets.fauna.backdrop import Backdrop, Blob

from .piece import Rng

BACK, SIDE, TOP, FRONT = -1.25, 1.75, 3.5, 3.0  # walls, ceiling and where the floor ends, in metres

# woods, greys, whites and a few paints: red, green, blue in [0, 1]
_FURNITURE = np.array(
    (
        (0.36, 0.22, 0.13),
        (0.56, 0.36, 0.20),
        (0.74, 0.56, 0.36),
        (0.86, 0.76, 0.60),
        (0.90, 0.90, 0.88),
        (0.60, 0.62, 0.64),
        (0.34, 0.36, 0.40),
        (0.24, 0.36, 0.52),
        (0.30, 0.46, 0.36),
        (0.62, 0.24, 0.20),
    )
)


def _furniture(rng: Rng) -> Float[ndarray, "3"]:
    known = _FURNITURE[rng.integers(len(_FURNITURE))] + rng.normal(0, 0.04, 3)
    bright = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, 0.8), rng.uniform(0.4, 0.9)))
    return np.clip(bright if rng.random() < 0.35 else known, 0.08, 0.95)


def draw_finishes(rng: Rng) -> Float[ndarray, "finishes 3"]:
    """The colours of one object, a row for each Finish; neighbouring ones differ in brightness."""
    main, second, accent = (_furniture(rng) for _ in range(3))
    gap = second.mean() - main.mean()
    if abs(gap) < 0.16:
        second = np.clip(second + (-0.2 if main.mean() > 0.5 else 0.2), 0.08, 0.95)
    dark, metal, pale = rng.uniform(0.07, 0.2), rng.uniform(0.45, 0.8), rng.uniform(0.8, 0.97)
    neutral = [np.full(3, grey) + rng.normal(0, 0.02, 3) for grey in (dark, metal, pale)]
    return np.clip((main, second, accent, *neutral), 0, 1)


def draw_room(rng: Rng, view: Float[ndarray, "3 3"], zoom: float, offset: Float[ndarray, "3"]) -> Backdrop:
    """Walls, a floor with boards or tiles or none, a skirting board, and doors, windows or panels on the walls."""

    def area(*corners: tuple[float, float, float], colour: Float[ndarray, "3"]) -> Blob:
        return Blob((zoom * np.array(corners) @ view.T + offset)[:, :2], np.clip(colour, 0, 1))

    wall, floor = _paint(rng), _paint(rng)
    if abs(wall.mean() - floor.mean()) < 0.12:
        floor = np.clip(floor + (-0.18 if wall.mean() > 0.5 else 0.18), 0, 1)
    side = 1 if rng.random() < 0.5 else -1
    x, far = side * SIDE, -side * 3 * SIDE
    blobs = [area((far, 0, BACK), (x, 0, BACK), (x, 0, FRONT), (far, 0, FRONT), colour=floor)]
    blobs += [area(*strip, colour=floor * 0.88) for strip in _floor_lines(rng, (min(x, far), max(x, far)))]
    beside = ((x, 0, BACK), (x, TOP, BACK), (x, TOP, FRONT), (x, 0, FRONT))
    blobs.append(area(*beside, colour=wall * rng.uniform(0.8, 0.95)))
    for _ in range(rng.integers(0, 5)):
        left, low = rng.uniform(-1.5, 0.9), rng.uniform(0, 1.1)
        right, high = left + rng.uniform(0.4, 0.9), min(low + rng.uniform(0.5, 1.6), 2.2)
        corners = ((left, low, BACK), (right, low, BACK), (right, high, BACK), (left, high, BACK))
        blobs.append(area(*corners, colour=_paint(rng)))
    if rng.random() < 0.6:
        skirting = rng.uniform(0.06, 0.14)
        corners = ((far, 0, BACK), (x, 0, BACK), (x, skirting, BACK), (far, skirting, BACK))
        blobs.append(area(*corners, colour=wall * rng.uniform(0.6, 0.85)))
    grain = int(rng.integers(4, 20))
    mottle = 0.8 * rng.random((grain, grain, 1)) + 0.2 * rng.random((grain, grain, 3))
    return Backdrop(
        np.stack((wall, np.clip(wall + rng.normal(0, 0.05), 0, 1))),
        tuple(blobs),
        (mottle, rng.random((48, 48))),
        (rng.uniform(0, 0.15), rng.uniform(0, 0.15)),
        rng.uniform(0, 0.006),
        rng.uniform(0.25, 0.5),
    )


def _paint(rng: Rng) -> Float[ndarray, "3"]:
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.02, 0.4), rng.uniform(0.35, 0.95)))


def _floor_lines(rng: Rng, span: tuple[float, float]) -> list[tuple[tuple[float, float, float], ...]]:
    """Narrow strips on the floor: joints of boards, of tiles, or none."""
    kind, step, half = rng.integers(3), rng.uniform(0.25, 0.5), 0.012
    along = [((x - half, 0.0, BACK), (x + half, 0.0, BACK), (x + half, 0.0, FRONT), (x - half, 0.0, FRONT))
             for x in np.arange(span[0], span[1], step)]  # fmt: skip
    across = [((span[0], 0.0, z - half), (span[1], 0.0, z - half), (span[1], 0.0, z + half), (span[0], 0.0, z + half))
              for z in np.arange(BACK, FRONT, step)]  # fmt: skip
    return [[], along, along + across][kind]
