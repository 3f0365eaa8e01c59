"""Part maps are read by colour, at smooth edges too; not all that is not black is bird."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_funnybirds
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_funnybirds import FINE, smooth

from partbench.datasets.funnybirds.part_map import BODY, COLOURS, NOTHING, PARTS, part_labels

SAMPLE = Path(__file__).resolve().parents[5] / "shared" / "data" / "funnybirds"


def test_colours_of_the_palette_are_parts_and_things_of_the_background_are_nothing() -> None:
    row = [colour for _, colour in COLOURS] + [(0, 0, 0), (204, 204, 204), (204, 204, 236)]
    labels = part_labels(np.array([row], np.uint8))
    assert labels.tolist() == [[label for label, _ in COLOURS] + [NOTHING] * 3]


block = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(6, 24), st.integers(6, 24), st.integers(0, 9))


@settings(max_examples=80, deadline=None)
@given(st.lists(block, max_size=5))
def test_at_smooth_edges_a_pixel_gets_the_label_that_covers_most_of_it(blocks: list[tuple[int, ...]]) -> None:
    """Where two colours meet, of which one covers three quarters or more and each fills a pixel beside it.

    Black, the body and eyes are greys. What two pairs of the colours beside it make alike has no known label.
    """
    colours = [*COLOURS, (NOTHING, (204, 204, 209))]
    fine, truth = np.zeros((48, 48, 3), np.uint8), np.full((48, 48), NOTHING)
    for top, left, height, width, which in blocks:
        label, colour = colours[which]
        fine[top : top + height, left : left + width] = colour
        truth[top : top + height, left : left + width] = label
    smoothed = smooth(fine)
    found = part_labels(smoothed)
    cells = truth.reshape(12, FINE, 12, FINE).swapaxes(1, 2).reshape(12, 12, -1)
    shades = fine.reshape(12, FINE, 12, FINE, 3).swapaxes(1, 2).reshape(12, 12, -1, 3)
    for y, x in np.ndindex(12, 12):
        labels, counts = np.unique(cells[y, x], return_counts=True)
        two = len(np.unique(shades[y, x], axis=0)) <= 2
        if two and counts.max() >= 12 and pure_beside(shades, y, x) and told_apart(shades, y, x, smoothed[y, x]):
            assert found[y, x] == labels[counts.argmax()]


def filling(shades: np.ndarray, y: int, x: int) -> set[tuple[int, ...]]:
    """The colours that fill a cell beside this one."""
    beside = shades[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, FINE * FINE, 3)
    return {tuple(cell[0].tolist()) for cell in beside if (cell == cell[0]).all()}


def own(shades: np.ndarray, y: int, x: int) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in shades[y, x].tolist()}


def pure_beside(shades: np.ndarray, y: int, x: int) -> bool:
    """Whether each colour of a cell fills a cell beside it."""
    return own(shades, y, x) <= filling(shades, y, x)


def told_apart(shades: np.ndarray, y: int, x: int, mixed: np.ndarray) -> bool:
    """Whether a cell has one colour, or no other pair of the colours beside it mixes to its own within rounding."""
    colours = own(shades, y, x)
    if len(colours) == 1:
        return True
    pairs = (set(pair) for pair in itertools.combinations(filling(shades, y, x) | {(0, 0, 0)}, 2))
    return not any(mixes_to(*pair, mixed) for pair in pairs if pair != colours)


def mixes_to(one: tuple[int, ...], other: tuple[int, ...], mixed: np.ndarray) -> bool:
    start, way = np.array(one, float), np.array(other, float) - one
    share = np.clip((mixed - start) @ way / (way @ way), 0, 1)
    return bool(np.abs(start + share * way - mixed).max() <= 1)


def test_a_foot_thinner_than_a_pixel_is_seen() -> None:
    fine = np.zeros((48, 48, 3), np.uint8)
    fine[20:44, 17:20] = (255, 0, 1)
    assert (part_labels(smooth(fine))[5:11, 4] == PARTS.index("foot")).all()


def test_the_blocks_of_a_bird_have_their_areas() -> None:
    labels = part_labels(tiny_funnybirds.drawn(shift=0.25))
    for name, (top, left, bottom, right, _) in tiny_funnybirds.BLOCKS.items():
        if name in PARTS:
            area = (bottom - top) * (right - left)
            assert (labels == PARTS.index(name)).sum() == pytest.approx(area, abs=(bottom - top + right - left))
    assert (labels == BODY).sum() == pytest.approx(14 * 16 - 6 * 8, abs=30)


def test_in_the_real_part_maps_birds_are_where_their_colours_are_and_little_larger() -> None:
    if not SAMPLE.is_dir():
        pytest.skip("no pictures of FunnyBirds beside the repository")
    maps = [cv2.imread(str(path))[..., ::-1] for path in sorted(SAMPLE.glob("*_part_map/*/*.png"))]
    assert len(maps) == 14
    for part_map in maps:
        labels = part_labels(part_map)
        own = np.isin(part_map.reshape(-1, 3) @ [65536, 256, 1], [r * 65536 + g * 256 + b for _, (r, g, b) in COLOURS])
        near = cv2.dilate(own.reshape(labels.shape).astype(np.uint8), np.ones((5, 5)))
        assert ((labels != NOTHING) & (near == 0)).sum() <= 1  # the tip of a thin beak
        assert (labels != NOTHING).sum() == pytest.approx(own.sum(), rel=0.06)
