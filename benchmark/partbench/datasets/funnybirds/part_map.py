"""Part maps of FunnyBirds: which part each pixel shows, by its colour."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int8, UInt8
from numpy import ndarray

PARTS = ("beak", "eye", "foot", "tail", "wing")
NOTHING, BODY, THING = -1, len(PARTS), len(PARTS) + 1  # labels beside those of PARTS; THING is used within this module
COLOURS: tuple[tuple[int, tuple[int, int, int]], ...] = (  # label and RGB; pairs of parts have a colour for each
    (0, (255, 255, 0)), (1, (255, 255, 253)), (1, (255, 255, 254)), (2, (255, 0, 1)), (2, (255, 0, 2)),
    (3, (0, 0, 255)), (4, (0, 255, 1)), (4, (0, 255, 2)), (BODY, (170, 170, 170)),
)  # fmt: skip
THING_GREY, THING_BLUES = 204, (204, 243)  # red and green of the things of the background; each has a blue of its own
PALETTE = np.array([*(colour for _, colour in COLOURS), (204, 204, 210)], float)
PALETTE_LABELS = np.array([*(label for label, _ in COLOURS), THING], np.int8)
STRANGER = {1: 60.0, BODY: 60.0, THING: 50.0}  # by label; the grey ones are easily mistaken for each other
STRANGERS = np.array([STRANGER.get(int(label), 10.0) for label in PALETTE_LABELS])
MOST_MIXED, MOST_INNER = 0.5, 0.01  # of the pixels that show something; 0.04 and 0 in the published maps
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
NEAR = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]


class Neighbours(NamedTuple):
    """Around each of m pixels: labels and colours of the 8 beside it, and labels up to two pixels away.

    Pixels that are mixed too count as black nothing.
    """

    labels: Int8[ndarray, "m 8"]
    colours: Float[ndarray, "m 8 3"]
    near: Int8[ndarray, "m 25"]


def part_labels(part_map: UInt8[ndarray, "H W 3"]) -> Int8[ndarray, "H W"]:
    """The label of each pixel: an index into PARTS, BODY or NOTHING.

    At antialiased edges colours are mixed. A mixed pixel is explained by one colour over that of a neighbour, in the
    proportion that fits best, and gets the label of the one that covers at least half of it. The colour above is that
    of another neighbour or, for parts thinner than a pixel, one of the palette; a colour of the palette that no pixel
    has within two pixels must fit better by `STRANGER` levels.
    """
    labels, pure = _pure_labels(part_map)
    mixed = np.argwhere(~pure)
    if len(mixed):
        labels[tuple(mixed.T)] = _mixed_labels(part_map, labels, pure, mixed)
    labels[labels == THING] = NOTHING
    return labels


def _pure_labels(part_map: UInt8[ndarray, "H W 3"]) -> tuple[Int8[ndarray, "H W"], Bool[ndarray, "H W"]]:
    """Labels of the pixels that have one of the colours of the palette, and which these are."""
    red, green, blue = (part_map[..., i].astype(np.int32) for i in range(3))
    code = (red << 16) + (green << 8) + blue
    labels = np.full(code.shape, NOTHING, np.int8)
    low, high = THING_BLUES
    labels[(red == THING_GREY) & (green == THING_GREY) & (blue >= low) & (blue <= high)] = THING
    for label, (r, g, b) in COLOURS:
        labels[code == (r << 16) + (g << 8) + b] = label
    return labels, (code == 0) | (labels != NOTHING)


def expect_edges(part_map: UInt8[ndarray, "H W 3"]) -> None:
    """Raise ValueError if pixels of other colours than those of the palette are no antialiased edges.

    They are none if they are over half of all that shows, or lie amid pixels of their own colour. The text of the error
    goes on where a file's name ends.
    """
    mixed, shown = np.argwhere(~_pure_labels(part_map)[1]), int(part_map.any(-1).sum())
    if len(mixed) > MOST_MIXED * shown:
        raise ValueError(f"has {len(mixed)} of {shown} pixels in colours of no part, expected them at edges alone")
    y, x = mixed.T
    beside = np.pad(part_map, ((1, 1), (1, 1), (0, 0)), mode="edge")
    alike = [(beside[y + 1 + dy, x + 1 + dx] == part_map[y, x]).all(-1) for dy, dx in AROUND]
    inner = np.flatnonzero(np.logical_and.reduce(alike))
    if len(inner) > MOST_INNER * shown:
        colour = ", ".join(map(str, part_map[tuple(mixed[inner[0]])].tolist()))
        raise ValueError(f"has areas of the colour ({colour}), which stands for no part")


def _mixed_labels(
    part_map: UInt8[ndarray, "H W 3"],
    labels: Int8[ndarray, "H W"],
    pure: Bool[ndarray, "H W"],
    mixed: Int[ndarray, "m 2"],
) -> Int8[ndarray, "m"]:
    beside, m, n = _neighbours(part_map, labels, pure, mixed), len(mixed), len(PALETTE)
    colours = part_map[tuple(mixed.T)].astype(float)
    above = np.concatenate([np.broadcast_to(PALETTE, (m, n, 3)), beside.colours], 1)
    above_labels = np.concatenate([np.broadcast_to(PALETTE_LABELS, (m, n)), beside.labels], 1)
    towards = above[:, :, None] - beside.colours[:, None]  # (m, n + 8, 8, 3)
    away = (colours[:, None] - beside.colours)[:, None]
    covered = np.clip((away * towards).sum(-1) / np.maximum((towards**2).sum(-1), 1e-9), 0, 1)
    misfit = np.linalg.norm(away - covered[..., None] * towards, axis=-1)
    strange = ~(PALETTE_LABELS[:, None] == beside.near[:, None]).any(-1)
    misfit[:, :n] += (strange * STRANGERS)[..., None]
    colour, neighbour = np.divmod(misfit.reshape(m, -1).argmin(1), len(AROUND))
    rows = np.arange(m)
    over = covered[rows, colour, neighbour] >= 0.5
    found: Int8[ndarray, "m"] = np.where(over, above_labels[rows, colour], beside.labels[rows, neighbour])
    return found


def _neighbours(
    part_map: UInt8[ndarray, "H W 3"],
    labels: Int8[ndarray, "H W"],
    pure: Bool[ndarray, "H W"],
    mixed: Int[ndarray, "m 2"],
) -> Neighbours:
    known = np.pad(np.where(pure, labels, NOTHING), 2, constant_values=NOTHING)
    colours = np.pad(np.where(pure[..., None], part_map, 0), ((2, 2), (2, 2), (0, 0)))
    y, x = (mixed.T[:, :, None] + 2) + np.array(AROUND).T[:, None]
    far_y, far_x = (mixed.T[:, :, None] + 2) + np.array(NEAR).T[:, None]
    return Neighbours(known[y, x], colours[y, x].astype(float), known[far_y, far_x])
