"""Visible surface of a set of solids: depth, normals and the nearest solid of every pixel (orthographic)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from .body import Solids

NOTHING = 255  # in `solid`, where no solid is
FAR = np.float32(-9.0)
SeenSolid = tuple[
    ndarray, ndarray, Callable[[], tuple[ndarray, ndarray]]
]  # where a solid is, its depth, its normal there


@dataclass(frozen=True)
class Surface:
    """`depth` grows towards the viewer; `across`, `down` are the normal's x and y; `solid` the index of the solid."""

    depth: Float[ndarray, "s s"]
    across: Float[ndarray, "s s"]
    down: Float[ndarray, "s s"]
    solid: Int[ndarray, "s s"]


def visible_surface(
    solids: Solids, size: int, left_out: frozenset[str] = frozenset(), within: Float[ndarray, "4"] | None = None
) -> Surface:
    """Depth buffer at `size` pixels, of all solids except those of the fine parts `left_out`.

    `within` is a box x0 y0 x1 y1 in px, outside of which nothing is drawn; by default the frame.
    """
    surface = Surface(
        np.full((size, size), FAR, np.float32),
        np.zeros((size, size), np.float32),
        np.zeros((size, size), np.float32),
        np.full((size, size), NOTHING, np.uint8),
    )
    along = (np.arange(size, dtype=np.float32) + 0.5) / size
    cones = np.concatenate((solids.start, solids.end, solids.radii), 1).astype(np.float32)
    low, high = solids.corners()
    frame = np.array((0, 0, size, size)) if within is None else within
    window = np.concatenate((np.floor(low[:, :2] * size), np.ceil(high[:, :2] * size)), 1)
    window = np.clip(window, np.tile(frame[:2], 2), np.tile(frame[2:], 2))
    ellipsoids = np.concatenate((solids.centre, solids.shape.reshape(-1, 9)), 1).astype(np.float32)
    boxes = np.concatenate((solids.middle, solids.sides.transpose(0, 2, 1).reshape(-1, 9)), 1)
    pieces: list[tuple[Callable[..., SeenSolid], list[float]]] = []
    for draw, solids_of_kind in ((_cone, cones), (_ellipsoid, ellipsoids), (_cuboid, boxes)):
        pieces += [(draw, one) for one in solids_of_kind.tolist()]
    for k, (x0, y0, x1, y1) in enumerate(window.astype(int).tolist()):
        if x1 <= x0 or y1 <= y0 or solids.parts[k] in left_out:
            continue
        x, y, box = along[x0:x1], along[y0:y1, None], (slice(y0, y1), slice(x0, x1))
        shape, numbers = pieces[k]
        _merge(surface, box, k, shape(numbers, x, y))
    return surface


def _cone(cone: list[float], x: ndarray, y: ndarray) -> SeenSolid:
    """A tapered capsule: at each pixel the ball at the nearest point of its axis."""
    ax, ay, az, bx, by, bz, ra, rb = cone
    dx, dy, dz = bx - ax, by - ay, bz - az
    x, y, squared = x - np.float32(ax), y - np.float32(ay), max(dx * dx + dy * dy, 1e-12)
    t = x * np.float32(dx / squared) + y * np.float32(dy / squared)
    np.minimum(np.maximum(t, 0, out=t), 1, out=t)
    qx, qy = x - t * np.float32(dx), y - t * np.float32(dy)
    radius = t * np.float32(rb - ra)
    radius += np.float32(ra)
    height = radius * radius
    height -= qx * qx + qy * qy
    inside = height > 0
    depth = np.sqrt(np.maximum(height, 0, out=height), out=height)
    t *= np.float32(dz)
    t += np.float32(az)
    depth += t
    return inside, depth, lambda: (qx / radius, qy / radius)


def _ellipsoid(ellipsoid: list[float], x: ndarray, y: ndarray) -> SeenSolid:
    """d'Qd = 1: the larger root of the quadratic in depth."""
    cx, cy, cz, q11, q12, q13, _, q22, q23, _, _, q33 = (np.float32(v) for v in ellipsoid)
    x, y = x - cx, y - cy
    half = q13 * x + q23 * y
    root = half * half - q33 * (q11 * x * x + 2 * q12 * x * y + q22 * y * y - 1)
    inside = root > 0
    root = np.sqrt(np.maximum(root, 0, out=root), out=root)
    z = (root - half) / q33

    def normal() -> tuple[ndarray, ndarray]:
        nx, ny = q11 * x + q12 * y + q13 * z, q12 * x + q22 * y + q23 * z
        norm = np.sqrt(nx * nx + ny * ny + root * root)
        return nx / norm, ny / norm

    return inside, cz + z, normal


def _cuboid(cuboid: list[float], x: ndarray, y: ndarray) -> SeenSolid:
    """A box: along the line of sight, where the nearest of the far bounds of its slabs is."""
    high = np.full((len(y), x.shape[-1]), np.inf, np.float32)
    low, across, down = -high, np.zeros_like(high), np.zeros_like(high)
    x, y = x - np.float32(cuboid[0]), y - np.float32(cuboid[1])
    for k in (3, 6, 9):
        ax, ay, az = cuboid[k : k + 3]
        length, sign = (ax * ax + ay * ay + az * az) ** 0.5, (-1 if az < 0 else 1)
        slope = max(abs(az), 1e-4 * length)  # a side across the line of sight bounds it nowhere near
        along = x * np.float32(-sign * ax / slope) + y * np.float32(-sign * ay / slope)
        half = np.float32(length * length / slope)
        nearer = along + half < high
        np.copyto(high, along + half, where=nearer)
        np.copyto(across, np.float32(sign * ax / length), where=nearer)
        np.copyto(down, np.float32(sign * ay / length), where=nearer)
        low = np.maximum(low, along - half)
    return low < high, high + np.float32(cuboid[2]), lambda: (across, down)


def _merge(surface: Surface, box: tuple[slice, slice], index: int, piece: SeenSolid) -> None:
    """Put a solid where it is nearer than all before it."""
    nearer, depth, normal = piece
    nearer &= depth > surface.depth[box]
    if not nearer.any():
        return
    across, down = normal()
    np.copyto(surface.depth[box], depth, where=nearer)
    np.copyto(surface.across[box], across, where=nearer)
    np.copyto(surface.down[box], down, where=nearer)
    np.copyto(surface.solid[box], np.uint8(index), where=nearer)


def softened_normals(surface: Surface, radius: float) -> tuple[ndarray, ndarray]:
    """Normals averaged over about `radius` pixels of the animal, which rounds the creases between solids."""
    present = (surface.solid != NOTHING).astype(np.float32)
    width = max(3, 2 * round(radius) + 1)
    stack = cv2.blur(cv2.merge((surface.across, surface.down, present)), (width, width))
    weight = np.maximum(stack[:, :, 2], np.float32(1e-3))
    return stack[:, :, 0] / weight, stack[:, :, 1] / weight
