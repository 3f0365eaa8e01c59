"""Things that stand in any room and say nothing about it."""

from __future__ import annotations

from math import cos, pi, sin, tau

from partbench.datasets.fauna.body import frame, vector

from .piece import ACCENT, DARK, MAIN, METAL, PALE, SECOND, Piece, Rng


def lamp(piece: Piece, rng: Rng) -> None:
    """A floor lamp with a shade."""
    high, wide = rng.uniform(1.0, 1.35), rng.uniform(0.17, 0.25)
    piece.lump((0, 0.03, 0), (0.18, 0.05, 0.18), METAL)
    piece.rod((0, 0, 0), (0, high, 0), 0.03, METAL)
    piece.rod((0, high - 0.02, 0), (0, high + 0.22, 0), wide, MAIN, 0.5)


def plant(piece: Piece, rng: Rng) -> None:
    """Leaves that fan out of a pot."""
    pot = rng.uniform(0.14, 0.2)
    piece.rod((0, 0.1, 0), (0, 0.28, 0), 0.8 * pot, MAIN, 1.25)
    for k in range(rng.integers(6, 10)):
        lean, turn = rng.uniform(0.5, 1.4), tau * k * 0.38
        axes, length = frame(lean, turn), rng.uniform(0.3, 0.55)
        tip = vector(0, 0.36, 0) + axes @ vector(0.55 * length, 0, 0)
        piece.body.ellipsoid(piece.name, tip, axes * (0.55 * length, 0.03, 0.09), SECOND if k % 3 else ACCENT)


def picture(piece: Piece, rng: Rng) -> None:
    """A framed picture, which hangs on the wall."""
    wide, high = rng.uniform(0.36, 0.7), rng.uniform(0.36, 0.6)
    piece.block((0, 0.5 * high, 0), (wide, high, 0.05), SECOND)
    piece.block((0, 0.5 * high, 0.03), (wide - 0.12, high - 0.12, 0.02), PALE)
    piece.block((0, 0.35 * high, 0.04), (wide - 0.12, 0.4 * high - 0.06, 0.02), ACCENT)
    piece.lump((rng.uniform(-0.2, 0.2) * wide, 0.62 * high, 0.05), (0.08, 0.08, 0.02), MAIN)


def rug(piece: Piece, rng: Rng) -> None:
    """A flat rug, oblong or round, with a border."""
    wide, deep = rng.uniform(1.0, 1.6), rng.uniform(0.6, 0.9)
    if rng.random() < 0.5:
        for k, finish in enumerate((MAIN, SECOND, ACCENT)):
            piece.block((0, 0.01 + 0.008 * k, 0), (wide - 0.24 * k, 0.01, deep - 0.24 * k), finish)
    else:
        for k, finish in enumerate((MAIN, SECOND, ACCENT)):
            piece.lump((0, 0.01 + 0.008 * k, 0), (0.5 * wide - 0.12 * k, 0.012, 0.55 * deep - 0.12 * k), finish)


def carton(piece: Piece, rng: Rng) -> None:
    """A box, shut with tape or open with its flaps up."""
    wide, high, deep = rng.uniform(0.34, 0.52), rng.uniform(0.26, 0.4), rng.uniform(0.3, 0.42)
    piece.block((0, 0.5 * high, 0), (wide, high, deep), MAIN)
    if rng.random() < 0.5:
        piece.block((0, high, 0), (0.08, 0.02, 1.01 * deep), PALE)
        piece.block((0, 0.85 * high, 0.5 * deep), (0.08, 0.3 * high, 0.02), PALE)
    else:
        piece.block((0, high, 0), (0.9 * wide, 0.02, 0.86 * deep), DARK)
        for side in (-1, 1):
            piece.leaning((0, high + 0.06, side * 0.56 * deep), (wide, 0.16, 0.02), -side * 0.7, MAIN)


def ball(piece: Piece, rng: Rng) -> None:
    """A ball with two stripes."""
    radius, turn = rng.uniform(0.13, 0.22), rng.uniform(0, pi)
    piece.lump((0, radius, 0), (radius,) * 3, MAIN)
    for k, finish in ((0, SECOND), (1, ACCENT)):
        across = vector(cos(turn + 1.6 * k), 0, sin(turn + 1.6 * k))
        axes = frame(0.3, 0.0) @ frame(0.0, float(turn + 1.6 * k))
        stripe = axes * (0.3 * radius, 1.03 * radius, 1.03 * radius)
        piece.body.ellipsoid(piece.name, vector(0, radius, 0) + 0.02 * across, stripe, finish)
