"""Furniture of bedroom, living room, dining room and office."""

from __future__ import annotations

from math import pi

from .piece import ACCENT, DARK, MAIN, METAL, PALE, SECOND, Piece, Rng


def bed(piece: Piece, rng: Rng) -> None:
    """A mattress with a blanket and pillows between a headboard and a low footboard."""
    wide, long, high = rng.uniform(1.0, 1.4), rng.uniform(1.5, 1.8), rng.uniform(0.34, 0.46)
    piece.block((0, 0.5 * high, 0), (wide, 0.5 * high, long), SECOND)
    piece.block((0, high, 0), (0.96 * wide, 0.2, 0.97 * long), PALE)
    piece.block((0, high + 0.05, 0.2 * long), (1.02 * wide, 0.22, 0.62 * long), MAIN)
    piece.block((0, high + 0.08, -0.08 * long), (1.03 * wide, 0.24, 0.1 * long), ACCENT)
    piece.block((0, 0.55 * high + 0.3, -0.52 * long), (1.06 * wide, high + 0.65, 0.09), SECOND)
    piece.block((0, 0.6 * high, 0.51 * long), (1.06 * wide, high + 0.22, 0.08), SECOND)
    for x in (-0.25, 0.25) if wide > 1.15 else (0.0,):
        piece.lump((x * wide, high + 0.17, -0.36 * long), (0.24, 0.11, 0.16), PALE)


def wardrobe(piece: Piece, rng: Rng) -> None:
    """A tall cupboard with two doors with mouldings, and feet."""
    wide, high, deep = rng.uniform(0.9, 1.2), rng.uniform(1.5, 1.8), 0.5
    piece.block((0, 0.5 * high + 0.08, 0), (wide, high, deep), MAIN)
    piece.block((0, high + 0.1, 0), (1.1 * wide, 0.1, 1.15 * deep), SECOND)
    piece.block((0, 0.12, 0), (1.06 * wide, 0.12, 1.08 * deep), SECOND)
    piece.block((0, 0.5 * high + 0.08, 0.5 * deep), (0.03, 0.86 * high, 0.03), DARK)
    for side in (-1, 1):
        for level, share in ((0.72, 0.36), (0.28, 0.3)):
            centre = (side * 0.24 * wide, level * high + 0.08, 0.51 * deep)
            piece.block(centre, (0.33 * wide, share * high, 0.02), SECOND)
        piece.lump((side * 0.06 * wide, 0.5 * high + 0.05, 0.56 * deep), (0.035, 0.06, 0.05), METAL)


def dresser(piece: Piece, rng: Rng) -> None:
    """A chest with two rows of drawers, below an oval mirror in a frame."""
    wide, high, deep = rng.uniform(0.9, 1.15), rng.uniform(0.55, 0.7), 0.42
    piece.block((0, 0.5 * high + 0.08, 0), (wide, high, deep), MAIN)
    piece.block((0, high + 0.1, 0), (1.08 * wide, 0.06, 1.1 * deep), SECOND)
    for level in (0.28, 0.72):
        for side in (-1, 1):
            x = side * 0.24 * wide
            piece.block((x, level * high + 0.08, 0.51 * deep), (0.42 * wide, 0.34 * high, 0.02), SECOND)
            piece.lump((x, level * high + 0.08, 0.56 * deep), (0.05, 0.035, 0.04), METAL)
    tall = rng.uniform(0.36, 0.46)
    piece.lump((0, high + 0.2 + tall, -0.1), (0.72 * tall + 0.06, tall + 0.06, 0.04), SECOND)
    piece.lump((0, high + 0.2 + tall, -0.06), (0.72 * tall - 0.02, tall - 0.02, 0.04), PALE)
    piece.legs((0.44 * wide, 0.4 * deep), 0.1, 0.04, DARK)


def sofa(piece: Piece, rng: Rng) -> None:
    """A seat with a back, two round arms, and loose cushions."""
    wide, seat = rng.uniform(1.3, 1.7), rng.uniform(0.36, 0.44)
    piece.block((0, 0.55 * seat, 0), (wide, 0.8 * seat, 0.75), MAIN)
    count = 2 if wide < 1.5 else 3
    for k in range(count):
        x = ((k + 0.5) / count - 0.5) * wide
        piece.block((x, seat + 0.05, 0.06), (0.94 * wide / count, 0.16, 0.66), SECOND)
        piece.leaning((x, seat + 0.34, -0.24), (0.92 * wide / count, 0.5, 0.16), 0.2, MAIN)
    piece.leaning((0, seat + 0.25, -0.36), (1.02 * wide, 0.7, 0.16), 0.15, MAIN)
    for side in (-1, 1):
        x = side * (0.5 * wide + 0.09)
        piece.block((x, 0.5 * seat + 0.1, 0), (0.22, seat + 0.2, 0.8), MAIN)
        piece.rod((x, seat + 0.22, -0.38), (x, seat + 0.22, 0.4), 0.13, MAIN)
    for x in (-0.33, 0.33)[: rng.integers(0, 3)]:
        piece.lump((x * wide, seat + 0.3, 0.0), (0.17, 0.17, 0.09), ACCENT)
    piece.legs((0.5 * wide, 0.33), 0.1, 0.04, DARK)


def table(piece: Piece, rng: Rng) -> None:
    """A dining table, round or long, laid with plates, and a bowl."""
    high, round_top = rng.uniform(0.62, 0.74), rng.random() < 0.4
    if round_top:
        wide, deep = (rng.uniform(1.0, 1.25),) * 2
        piece.lump((0, high, 0), (0.5 * wide, 0.06, 0.5 * wide), MAIN)
        piece.rod((0, 0.06, 0), (0, high, 0), 0.08, SECOND)
        piece.lump((0, 0.04, 0), (0.3, 0.06, 0.3), SECOND)
    else:
        wide, deep = rng.uniform(1.3, 1.6), rng.uniform(0.75, 0.9)
        piece.block((0, high, 0), (wide, 0.09, deep), MAIN)
        piece.legs((0.44 * wide, 0.42 * deep), high, 0.05)
    places = ((-0.3, 0.1), (0.3, 0.1), (0.0, 0.32), (0.0, -0.32))
    for x, z in places[: rng.integers(2, 5)]:
        piece.disc((x * wide, high + 0.06, z * deep), 0.13, "up", PALE)
        piece.disc((x * wide, high + 0.08, z * deep), 0.07, "up", SECOND)
    piece.lump((0, high + 0.13, 0), (0.13, 0.1, 0.13), ACCENT)


def chair(piece: Piece, rng: Rng) -> None:
    """A wooden chair with a high, slatted back."""
    seat, high = rng.uniform(0.42, 0.48), rng.uniform(0.9, 1.05)
    piece.block((0, seat, 0), (0.46, 0.08, 0.46), MAIN)
    for x in (-0.2, 0.2):
        piece.rod((x, 0, 0.2), (x, seat, 0.2), 0.035, SECOND)
        piece.rod((x, 0, -0.22), (x, high, -0.26), 0.04, SECOND)
    for level in (0.45, 0.7, 0.95):
        piece.block((0, seat + level * (high - seat), -0.24), (0.4, 0.08, 0.04), MAIN)


def desk(piece: Piece, rng: Rng) -> None:
    """A desk with drawers on one side, and on it a screen and a keyboard."""
    wide, high, deep = rng.uniform(1.1, 1.4), rng.uniform(0.6, 0.7), 0.6
    side = rng.choice((-1, 1))
    piece.block((0, high, 0), (wide, 0.07, deep), MAIN)
    piece.block((side * 0.32 * wide, 0.5 * high, 0), (0.32 * wide, high, 0.92 * deep), SECOND)
    for level in (0.25, 0.55, 0.82):
        piece.block((side * 0.32 * wide, level * high, 0.47 * deep), (0.27 * wide, 0.2 * high, 0.02), MAIN)
        piece.lump((side * 0.32 * wide, level * high, 0.49 * deep), (0.05, 0.025, 0.03), METAL)
    for z in (-0.4, 0.4):
        piece.rod((-side * 0.45 * wide, 0, z * deep), (-side * 0.45 * wide, high, z * deep), 0.04, METAL)
    screen = rng.uniform(0.5, 0.64)
    piece.block((0, high + 0.1, -0.12), (0.08, 0.16, 0.06), METAL)
    piece.block((0, high + 0.16 + 0.33 * screen, -0.1), (screen, 0.66 * screen, 0.06), DARK)
    piece.block((0, high + 0.16 + 0.33 * screen, -0.065), (0.88 * screen, 0.52 * screen, 0.02), ACCENT)
    piece.block((0, high + 0.05, 0.16), (0.42, 0.04, 0.15), PALE)


def office_chair(piece: Piece, rng: Rng) -> None:
    """A swivel chair: a padded seat and back on a column with five castors."""
    seat = rng.uniform(0.44, 0.52)
    piece.lump((0, seat, 0), (0.27, 0.08, 0.27), MAIN)
    piece.lump((0, seat + 0.45, -0.24), (0.25, 0.28, 0.07), MAIN)
    piece.rod((0, seat, -0.22), (0, seat + 0.3, -0.27), 0.035, METAL)
    piece.rod((0, 0.12, 0), (0, seat, 0), 0.045, METAL)
    for x, _, z in piece.ring(0.07, 0.29, 5, rng.uniform(0, pi)):
        piece.rod((0, 0.14, 0), (x, 0.09, z), 0.035, METAL)
        piece.lump((x, 0.05, z), (0.05, 0.05, 0.05), DARK)
    for side in (-1, 1):
        piece.rod((side * 0.27, seat + 0.2, -0.12), (side * 0.27, seat + 0.2, 0.14), 0.035, DARK)


def bookcase(piece: Piece, rng: Rng) -> None:
    """Open shelves with rows of books in several colours."""
    wide, high, deep, rows = rng.uniform(0.75, 1.0), rng.uniform(1.3, 1.6), 0.34, 3
    piece.block((0, 0.5 * high, -0.4 * deep), (wide, high, 0.05), DARK)
    for side in (-1, 1):
        piece.block((side * 0.5 * wide, 0.5 * high, 0), (0.07, high, deep), MAIN)
    for level in range(rows + 1):
        y = 0.05 + level * (high - 0.07) / rows
        piece.block((0, y, 0), (wide, 0.06, deep), MAIN)
        if level < rows:
            _books(piece, rng, (y + 0.03, 0.44 * wide), (high - 0.07) / rows - 0.08)


def _books(piece: Piece, rng: Rng, start: tuple[float, float], gap: float) -> None:
    """A row of blocks of books; there may be room at the end."""
    y, half = start
    x = -half
    while x < half - 0.08:
        thick, tall = min(rng.uniform(0.08, 0.24), half - x), gap * rng.uniform(0.6, 0.95)
        if rng.random() < 0.9:
            finish = (SECOND, ACCENT, PALE)[rng.integers(3)]
            piece.block((x + thick / 2, y + tall / 2, 0.03), (0.9 * thick, tall, 0.2), finish)
        x += thick
