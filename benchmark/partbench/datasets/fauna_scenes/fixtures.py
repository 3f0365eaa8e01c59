"""Fixtures and appliances of bathroom, kitchen, living room and dining room."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi, sin

from .piece import ACCENT, DARK, MAIN, METAL, PALE, SECOND, Piece, Rng, arch


def bathtub(piece: Piece, rng: Rng) -> None:
    """A tub with a thick rim, seen into, with a tap; on feet or boxed in."""
    wide, high, deep = rng.uniform(1.3, 1.6), rng.uniform(0.48, 0.58), rng.uniform(0.66, 0.78)
    if rng.random() < 0.5:
        piece.block((0, 0.45 * high, 0), (0.96 * wide, 0.9 * high, 0.92 * deep), MAIN)
    else:
        piece.lump((0, 0.62 * high, 0), (0.5 * wide, 0.5 * high, 0.5 * deep), MAIN)
        piece.legs((0.3 * wide, 0.25 * deep), 0.3 * high, 0.06, METAL)
    piece.lump((0, high, 0), (0.53 * wide, 0.07, 0.55 * deep), PALE)
    piece.lump((0, high + 0.045, 0), (0.45 * wide, 0.05, 0.42 * deep), ACCENT)
    _tap(piece, (0.5 * wide, high, 0), -0.2)


def _tap(piece: Piece, foot: tuple[float, float, float], reach: float, towards: str = "x") -> None:
    """A bent pipe that ends over a basin."""
    x, y, z = foot
    end = (x + reach, z) if towards == "x" else (x, z + reach)
    piece.rod((x, y, z), (x, y + 0.26, z), 0.04, METAL)
    piece.rod((x, y + 0.26, z), (end[0], y + 0.26, end[1]), 0.04, METAL)
    piece.rod((end[0], y + 0.26, end[1]), (end[0], y + 0.16, end[1]), 0.035, METAL)


def toilet(piece: Piece, rng: Rng) -> None:
    """A bowl on a foot with a seat, a raised lid and a cistern."""
    high = rng.uniform(0.42, 0.5)
    piece.rod((0, 0.05, -0.02), (0, 0.75 * high, 0.02), 0.17, MAIN, 1.2)
    piece.lump((0, 0.78 * high, 0.08), (0.26, 0.2, 0.34), MAIN)
    piece.lump((0, high + 0.02, 0.08), (0.28, 0.05, 0.36), PALE)
    piece.lump((0, high + 0.05, 0.1), (0.18, 0.04, 0.24), DARK)
    piece.leaning((0, high + 0.26, -0.22), (0.46, 0.46, 0.06), 0.15, SECOND)
    piece.block((0, high + 0.28, -0.36), (0.56, 0.46, 0.2), MAIN)
    piece.block((0, high + 0.53, -0.36), (0.62, 0.06, 0.24), PALE)
    piece.lump((0, high + 0.58, -0.36), (0.06, 0.04, 0.06), METAL)


def washbasin(piece: Piece, rng: Rng) -> None:
    """A basin on a pedestal with a tap, under a mirror on a back plate."""
    high = rng.uniform(0.7, 0.8)
    piece.rod((0, 0.04, 0), (0, high - 0.08, 0), 0.13, MAIN, 0.8)
    piece.lump((0, 0.04, 0), (0.2, 0.06, 0.18), MAIN)
    piece.lump((0, high - 0.04, 0.04), (0.4, 0.16, 0.3), MAIN)
    piece.lump((0, high + 0.05, 0.05), (0.38, 0.06, 0.29), PALE)
    piece.lump((0, high + 0.09, 0.07), (0.26, 0.04, 0.18), ACCENT)
    _tap(piece, (0, high + 0.04, -0.2), 0.16, "z")
    wide = rng.uniform(0.5, 0.64)
    piece.block((0, high + 0.66, -0.3), (wide + 0.1, 0.66, 0.04), SECOND)
    piece.block((0, high + 0.66, -0.27), (wide - 0.02, 0.54, 0.02), PALE)


def stove(piece: Piece, rng: Rng) -> None:
    """A cooker: an oven with a window and a handle, burners and a pot on top."""
    wide, high, deep = rng.uniform(0.72, 0.88), rng.uniform(0.74, 0.84), 0.62
    piece.block((0, 0.5 * high, 0), (wide, high, deep), MAIN)
    piece.block((0, high + 0.02, 0), (1.03 * wide, 0.05, 1.03 * deep), DARK)
    piece.block((0, 0.42 * high, 0.505 * deep), (0.74 * wide, 0.42 * high, 0.02), DARK)
    piece.block((0, 0.42 * high, 0.52 * deep), (0.54 * wide, 0.24 * high, 0.02), ACCENT)
    piece.rod((-0.3 * wide, 0.7 * high, 0.58 * deep), (0.3 * wide, 0.7 * high, 0.58 * deep), 0.03, METAL)
    for k in range(4):
        piece.lump(((k - 1.5) * 0.2 * wide, 0.87 * high, 0.53 * deep), (0.05, 0.05, 0.03), PALE)
    for x, z in ((-0.24, 0.2), (0.24, -0.2), (-0.24, -0.22), (0.24, 0.2)):
        piece.disc((x * wide, high + 0.05, z * deep), 0.13, "up", METAL)
    pots = ((-0.24, 0.2), (0.24, -0.2))[: rng.integers(1, 3)]
    for x, z in pots:
        piece.rod((x * wide, high + 0.12, z * deep), (x * wide, high + 0.2, z * deep), 0.14, SECOND)
        piece.rod((x * wide, high + 0.2, z * deep), (x * wide + 0.32, high + 0.24, z * deep), 0.028, DARK)
        piece.disc((x * wide, high + 0.34, z * deep), 0.12, "up", METAL)


def refrigerator(piece: Piece, rng: Rng) -> None:
    """A tall box with a small door above a large one, both with long handles, and notes on it."""
    wide, high, deep = rng.uniform(0.72, 0.84), rng.uniform(1.5, 1.75), 0.6
    side, split = rng.choice((-1, 1)), rng.uniform(0.62, 0.7)
    piece.block((0, 0.5 * high + 0.05, 0), (wide, high, deep), MAIN)
    piece.block((0, split * high, 0.5 * deep), (1.01 * wide, 0.045, 0.03), DARK)
    piece.block((0, 0.06, 0.48 * deep), (0.96 * wide, 0.1, 0.03), DARK)
    for low, top in ((0.3, split - 0.05), (split + 0.05, 0.92)):
        x = side * 0.38 * wide
        piece.rod((x, low * high, 0.6 * deep), (x, top * high, 0.6 * deep), 0.04, METAL)
    for _ in range(rng.integers(0, 3)):
        x, y = rng.uniform(-0.25, 0.15) * wide * side, rng.uniform(0.4, 0.9) * high
        piece.block((x, y, 0.51 * deep), (0.13, 0.13, 0.02), (ACCENT, PALE)[rng.integers(2)])


def sink(piece: Piece, rng: Rng) -> None:
    """A kitchen counter with cupboard doors, a sunken basin with a tall tap, and dishes beside it."""
    wide, high, deep = rng.uniform(1.2, 1.5), rng.uniform(0.7, 0.8), 0.6
    side = rng.choice((-1, 1))
    piece.block((0, 0.5 * high + 0.04, 0), (wide, high, 0.94 * deep), MAIN)
    piece.block((0, high + 0.06, 0), (1.04 * wide, 0.08, 1.04 * deep), SECOND)
    for k in range(3):
        x = (k - 1) * 0.32 * wide
        piece.block((x, 0.5 * high, 0.48 * deep), (0.27 * wide, 0.74 * high, 0.02), PALE)
        piece.rod((x + 0.08 * wide, 0.66 * high, 0.53 * deep), (x + 0.08 * wide, 0.8 * high, 0.53 * deep), 0.025, METAL)
    piece.block((side * 0.2 * wide, high + 0.1, 0.04), (0.44, 0.03, 0.36), METAL)
    piece.block((side * 0.2 * wide, high + 0.12, 0.04), (0.34, 0.03, 0.26), DARK)
    x, y, z = side * 0.2 * wide, high + 0.1, -0.22
    piece.rod((x, y, z), (x, y + 0.3, z), 0.04, METAL)
    bow = [(0.15 * cos(pi * k / 6), 0.15 * sin(pi * k / 6)) for k in range(6)]
    for (a, b), (c, d) in pairwise(bow):
        piece.rod((x, y + 0.3 + b, z + 0.15 - a), (x, y + 0.3 + d, z + 0.15 - c), 0.035, METAL)
    for k in range(rng.integers(1, 4)):
        piece.lump((-side * (0.1 + 0.14 * k) * wide, high + 0.18, 0), (0.05, 0.13, 0.13), (PALE, ACCENT)[k % 2])


def television(piece: Piece, rng: Rng) -> None:
    """A wide screen on a long, low board."""
    wide, low = rng.uniform(1.2, 1.5), rng.uniform(0.3, 0.4)
    piece.block((0, 0.5 * low + 0.06, 0), (wide, low, 0.42), MAIN)
    piece.legs((0.42 * wide, 0.15), 0.1, 0.035, METAL)
    for side in (-1, 1):
        piece.block((side * 0.25 * wide, 0.5 * low + 0.06, 0.21), (0.4 * wide, 0.7 * low, 0.02), SECOND)
    screen, lift = rng.uniform(0.95, 1.15), low + 0.16
    piece.block((0, lift, -0.05), (0.3, 0.16, 0.1), DARK)
    piece.block((0, lift + 0.34 * screen, -0.04), (screen, 0.6 * screen, 0.07), DARK)
    piece.block((0, lift + 0.34 * screen, 0.0), (0.93 * screen, 0.52 * screen, 0.02), ACCENT)
    piece.block((0.2 * screen, lift + 0.42 * screen, 0.01), (0.3 * screen, 0.2 * screen, 0.02), PALE)


def fireplace(piece: Piece, rng: Rng) -> None:
    """A chimney with a mantelpiece, and under an arch a fire on logs."""
    wide, high = rng.uniform(1.1, 1.3), rng.uniform(0.85, 1.0)
    for side in (-1, 1):
        piece.block((side * 0.38 * wide, 0.5 * high, 0), (0.24 * wide, high, 0.36), MAIN)
    piece.block((0, 0.87 * high, 0), (wide, 0.26 * high, 0.36), MAIN)
    piece.block((0, high + 0.04, 0.03), (1.16 * wide, 0.1, 0.46), SECOND)
    piece.block((0, 0.4 * high, -0.1), (0.6 * wide, 0.8 * high, 0.05), DARK)
    piece.block((0, 0.03, 0.1), (1.05 * wide, 0.06, 0.5), SECOND)
    piece.block((0, high + 0.45, -0.08), (0.6 * wide, 0.76, 0.26), MAIN)
    for x, y in arch(0.26 * wide, 0.5 * high):
        piece.lump((x, y, 0.17), (0.06, 0.06, 0.04), SECOND)
    for x in (-0.08, 0.08):
        piece.rod((x - 0.14, 0.12, 0.05), (x + 0.14, 0.12, 0.09), 0.05, METAL)
    for x, tall in ((-0.13, 0.2), (0.0, 0.32), (0.12, 0.22)):
        piece.rod((x * wide, 0.16, 0.06), (x * wide, 0.16 + tall, 0.06), 0.08, ACCENT, 0.15)


def chandelier(piece: Piece, rng: Rng) -> None:
    """A hanging lamp with a ring of candles; its lowest point is at 0."""
    radius, drop = rng.uniform(0.32, 0.44), rng.uniform(0.5, 0.8)
    piece.rod((0, 0.1, 0), (0, 0.3 + drop, 0), 0.025, METAL)
    piece.lump((0, 0.12, 0), (0.08, 0.1, 0.08), METAL)
    for x, _, z in piece.ring(0.2, radius, int(rng.integers(5, 8)), rng.uniform(0, pi)):
        piece.rod((0, 0.14, 0), (0.6 * x, 0.02, 0.6 * z), 0.03, METAL)
        piece.rod((0.6 * x, 0.02, 0.6 * z), (x, 0.12, z), 0.03, METAL)
        piece.rod((x, 0.14, z), (x, 0.26, z), 0.045, PALE)
        piece.lump((x, 0.36, z), (0.05, 0.08, 0.05), ACCENT)
