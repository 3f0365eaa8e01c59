"""The convention of docs/coordinates.md: everything that reads positions places the same pixel at the same spot."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from partbench import Batch, Explanation, PerformerOutputs, ReceptiveField
from partbench.datasets.fauna.render import render_many
from partbench.datasets.fauna.scene_set import FaunaSet
from partbench.functional import PartOverlap, on_image, peaks
from partbench.functional.part_overlap import filled
from partbench.metrics.locality import Locality, voronoi_weights
from partbench.metrics.location_instability import LocationInstability
from partbench.pictures.tiles import tiles
from partbench_plugins.part_assignment import parts_at

SIZE = 16
pixels = st.integers(0, SIZE - 1)
spots = st.tuples(pixels, pixels)


def planted(*spots: tuple[int, int], **known: torch.Tensor) -> tuple[Batch, Explanation]:
    """One image whose only concept is on the pixels (x, y) given, its map at the resolution of the image."""
    maps = torch.zeros(1, 1, SIZE, SIZE)
    for x, y in spots:
        maps[0, 0, y, x] = 1
    return Batch(("a",), torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, dtype=torch.long), **known), Explanation(maps)


def around(x: int, y: int) -> torch.Tensor:
    """The box of one pixel."""
    return torch.tensor([[[x, y, x + 1, y + 1]]]).float()


def places_of(explanation: Explanation) -> torch.Tensor:
    return on_image(peaks(explanation, (SIZE, SIZE))[1], SIZE)


def mask_of(x: int, y: int) -> torch.Tensor:
    masks = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    masks[0, 0, y, x] = True
    return masks


def outputs() -> PerformerOutputs:
    logits = torch.zeros(1, 2)
    return PerformerOutputs(logits, torch.ones(1, dtype=torch.bool), 0, logits[:, 0], lambda images: logits)


def locality(batch: Batch, explanation: Explanation) -> float:
    metric = Locality()
    metric.update(batch, explanation, outputs())
    return float(metric.compute()["locality"].values[0])


@settings(max_examples=30, deadline=None)
@given(spot=spots, elsewhere=spots)
def test_a_part_of_one_pixel_is_the_same_pixel_for_every_reader(spot, elsewhere):
    box, masks, mark = around(*spot), mask_of(*spot), torch.tensor([[spot]]) + 0.5
    for known in ({"masks": masks}, {"part_boxes": box}, {"landmarks": mark, "boxes": box[0]}):
        here, explanation = planted(spot, **known)
        assert parts_at(places_of(explanation), here).all()
    for known in ({"masks": masks}, {"landmarks": mark, "boxes": box[0]}):
        both = locality(*planted(spot, elsewhere, **known))
        assert locality(*planted(spot, **known)) == 0
        assert both == pytest.approx(0 if spot == elsewhere else np.log(2), abs=1e-6)
    for known in ({"masks": masks}, {"part_boxes": box}):
        overlap = PartOverlap(quantile=0.01, overlap=0.99)
        overlap.add(*planted(spot, **known))
        assert overlap.shares().tolist() == [[1.0]], "the region is exactly the part"
        if spot != elsewhere:
            there, explanation = planted(elsewhere, **known)
            assert not parts_at(places_of(explanation), there).any()


@settings(max_examples=30, deadline=None)
@given(places=st.lists(spots, min_size=4, max_size=4))
def test_landmarks_around_a_pixel_at_one_distance_have_no_instability(places):
    """Landmarks 3 px to the right, left, below and above: a position that is off by half a pixel would vary by 1 px."""
    metric = LocationInstability(least=4)
    for spot, away in zip(places, [(3, 0), (-3, 0), (0, 3), (0, -3)], strict=True):
        centre = torch.tensor([[spot]]) + 0.5
        batch, explanation = planted(spot, landmarks=centre + torch.tensor(away))
        metric.update(batch, explanation, outputs())
        assert torch.equal(places_of(explanation), centre)
    assert metric.compute()["location_instability"].values.tolist() == [0.0]


@settings(max_examples=100, deadline=None)
@given(
    corners=st.tuples(*[st.floats(-2, SIZE + 2) | st.integers(-2, SIZE + 2).map(float)] * 4),
    whole=st.booleans(),
)
def test_locality_and_part_overlap_count_the_same_pixels_of_a_box(corners, whole):
    x0, x1 = sorted(corners[:2])
    y0, y1 = sorted(corners[2:])
    box = torch.tensor([x0, y0, x1, y1], dtype=torch.float64)
    box = box.floor() if whole else box
    inside = voronoi_weights(torch.tensor([[8.0, 8.0]], dtype=torch.float64), box, (SIZE, SIZE))[-1] == 0
    assert np.array_equal(inside.numpy(), filled(box.numpy(), SIZE, SIZE))
    if whole:
        clipped = box.clamp(0, SIZE)
        assert inside.sum() == (clipped[2] - clipped[0]) * (clipped[3] - clipped[1])


def test_a_box_of_four_by_four_pixels_has_sixteen():
    box = torch.tensor([2.0, 3.0, 6.0, 7.0])
    assert (voronoi_weights(torch.tensor([[4.0, 5.0]]), box, (SIZE, SIZE))[-1] == 0).sum() == 16
    assert filled(box.numpy(), SIZE, SIZE).sum() == 16


@given(spot=spots, cells=st.sampled_from([1, 2, 4, 8, 16]))
@settings(max_examples=30, deadline=None)
def test_the_pixels_of_a_tile_have_the_centre_of_their_cell_as_their_mean(spot, cells):
    side = SIZE // cells
    cell = spot[0] // side
    mean = np.mean([pixel + 0.5 for pixel in range(cell * side, (cell + 1) * side)])
    assert ReceptiveField.tiling(cells, SIZE).centres(cells)[cell] == mean


@given(spot=spots)
@settings(max_examples=10, deadline=None)
def test_a_landmark_is_drawn_in_the_middle_of_its_pixel(spot):
    (tile,) = tiles(Figure(figsize=(2, 2)), "", 1, 1)[0]
    x, y = tile.at(np.array(spot) + 0.5, SIZE)
    step = tile.side / SIZE
    assert (x - tile.left) / step == pytest.approx(spot[0] + 0.5)
    assert (y - tile.top) / step == pytest.approx(spot[1] + 0.5)


def test_fauna_hands_on_the_landmarks_of_the_renderer(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    batch = FaunaSet(seed=7, count=12, size=48).batch(range(12))
    rendered = render_many(7, range(12), 48)["landmarks"]
    np.testing.assert_array_equal(batch.landmarks.numpy(), rendered)
    x0, y0, x1, y1 = batch.boxes.T
    for i, mask in enumerate(batch.masks.any(1)):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        assert (x0[i], x1[i]) == (columns.min(), columns.max() + 1)
        assert (y0[i], y1[i]) == (rows.min(), rows.max() + 1)
