"""Part maps of FunnyBirds: which part each pixel shows, by its colour."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int8, UInt8
from numpy import ndarray

PARTS = ("beak", "eye", "foot", "tail", "wing")
NOTHING, BODY = -1, len(PARTS)  # labels beside those of PARTS; things of the background are nothing
COLOURS: tuple[tuple[int, tuple[int, int, int]], ...] = (  # label and RGB; pairs of parts have a colour for each
    (0, (255, 255, 0)), (1, (255, 255, 253)), (1, (255, 255, 254)), (2, (255, 0, 1)), (2, (255, 0, 2)),
    (3, (0, 0, 255)), (4, (0, 255, 1)), (4, (0, 255, 2)), (BODY, (170, 170, 170)),
)  # fmt: skip
PALETTE = np.array([colour for _, colour in COLOURS], float)
PALETTE_LABELS = np.array([label for label, _ in COLOURS], np.int8)
THINGS = (204, 204), (204, 243)  # red and green, and the range of blue, of the things of the background: one blue each
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
GREY = np.isin(PALETTE_LABELS, [1, BODY])  # eye and body are grey, as things are: they explain what is beside them only
STRANGER = np.where(GREY, np.inf, 10.0)  # levels of colour by which a part not beside a pixel must explain it better


class Neighbours(NamedTuple):
    """Labels (m, 8) of what is beside m pixels, and their colours; black nothing for pixels that are mixed too."""

    labels: Int8[ndarray, "m 8"]
    colours: Float[ndarray, "m 8 3"]


def part_labels(part_map: UInt8[ndarray, "H W 3"]) -> Int8[ndarray, "H W"]:
    """The label of each pixel: an index into PARTS, BODY or NOTHING.

    At antialiased edges colours are mixed. A mixed pixel is explained by one colour over that of a neighbour, in the
    proportion that fits best: a colour of the bird, for parts thinner than a pixel, or that of another neighbour. It
    gets the label of the one that covers at least half of it.
    """
    labels, pure = _pure_labels(part_map)
    mixed = np.argwhere(~pure)
    if len(mixed):
        labels[tuple(mixed.T)] = _mixed_labels(part_map, labels, pure, mixed)
    return labels


def _pure_labels(part_map: UInt8[ndarray, "H W 3"]) -> tuple[Int8[ndarray, "H W"], Bool[ndarray, "H W"]]:
    """Labels of the pixels that have one of the colours of the palette, and which these are."""
    red, green, blue = (part_map[..., i].astype(np.int32) for i in range(3))
    code = (red << 16) + (green << 8) + blue
    labels = np.full(code.shape, NOTHING, np.int8)
    things = (red == THINGS[0][0]) & (green == THINGS[0][1]) & (blue >= THINGS[1][0]) & (blue <= THINGS[1][1])
    pure = (code == 0) | things
    for label, (r, g, b) in COLOURS:
        same = code == (r << 16) + (g << 8) + b
        labels[same] = label
        pure |= same
    return labels, pure


def _mixed_labels(
    part_map: UInt8[ndarray, "H W 3"], labels: Int8[ndarray, "H W"], pure: Bool[ndarray, "H W"], mixed: Int[ndarray, "m 2"]
) -> Int8[ndarray, "m"]:
    beside, m = _neighbours(part_map, labels, pure, mixed), len(mixed)
    colours = part_map[tuple(mixed.T)].astype(float)
    above = np.concatenate([np.broadcast_to(PALETTE, (m, *PALETTE.shape)), beside.colours], 1)  # (m, 17, 3)
    above_labels = np.concatenate([np.broadcast_to(PALETTE_LABELS, (m, len(PALETTE))), beside.labels], 1)
    towards = above[:, :, None] - beside.colours[:, None]  # (m, 17, 8, 3)
    away = (colours[:, None] - beside.colours)[:, None]
    covered = np.clip((away * towards).sum(-1) / np.maximum((towards**2).sum(-1), 1e-9), 0, 1)
    misfit = np.linalg.norm(away - covered[..., None] * towards, axis=-1)
    strange = ~(PALETTE_LABELS[None, :, None] == beside.labels[:, None]).any(-1)
    misfit[:, : len(PALETTE)] += np.where(strange, STRANGER, 0.0)[..., None]
    colour, neighbour = np.divmod(misfit.reshape(m, -1).argmin(1), len(AROUND))
    rows = np.arange(m)
    over = covered[rows, colour, neighbour] >= 0.5
    found: Int8[ndarray, "m"] = np.where(over, above_labels[rows, colour], beside.labels[rows, neighbour])
    return found


def _neighbours(
    part_map: UInt8[ndarray, "H W 3"], labels: Int8[ndarray, "H W"], pure: Bool[ndarray, "H W"], mixed: Int[ndarray, "m 2"]
) -> Neighbours:
    known = np.pad(np.where(pure, labels, NOTHING), 1, constant_values=NOTHING)
    colours = np.pad(np.where(pure[..., None], part_map, 0), ((1, 1), (1, 1), (0, 0)))
    y, x = (mixed.T[:, :, None] + 1) + np.array(AROUND).T[:, None]
    return Neighbours(known[y, x], colours[y, x].astype(float))
