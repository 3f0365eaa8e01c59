from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, ReceptiveField
from partbench.functional import mask_weights, region_shares, voronoi_weights

NAN = float("nan")


points = st.lists(st.tuples(st.floats(0, 11), st.floats(0, 11)), min_size=1, max_size=5)


def literal_weights(landmarks, box, size):
    """Algorithm 1 of the appendix, pixel by pixel: pixel i has its centre at i + 0.5."""
    parts = [[] for _ in landmarks]
    weights = np.zeros((len(landmarks) + 1, size, size))
    for y in range(size):
        for x in range(size):
            if not (box[0] <= x + 0.5 < box[2] and box[1] <= y + 0.5 < box[3]):
                weights[-1, y, x] = 1
                continue
            distances = [math.hypot(x + 0.5 - px, y + 0.5 - py) for px, py in landmarks]
            visible = [p for p in range(len(landmarks)) if not math.isnan(distances[p])]
            if visible:
                nearest = min(visible, key=lambda p: distances[p])
                parts[nearest].append((y, x, distances[nearest]))
    for p, cell in enumerate(parts):
        farthest = max((d for *_, d in cell), default=0)
        for y, x, d in cell:
            weights[p, y, x] = 1 - d / farthest if len(cell) > 1 and farthest > 0 else 1
    return weights


@given(points, st.integers(0, 5), st.integers(6, 11), st.booleans())
@settings(max_examples=25, deadline=None)
def test_weights_are_those_of_the_algorithm_pixel_by_pixel(landmarks, low, high, first_absent):
    rows = [(NAN, NAN), *landmarks] if first_absent else landmarks
    box = (low, 1.0, high, 9.5)
    found = voronoi_weights(torch.tensor(rows, dtype=torch.float64), torch.tensor(box).double(), (12, 12))
    np.testing.assert_allclose(found, literal_weights(rows, box, 12), atol=1e-6)


def test_cells_and_context_cover_every_pixel_once_and_ties_go_to_the_first_landmark():
    landmarks = torch.tensor([[2.5, 5.5], [8.5, 5.5]])
    weights = voronoi_weights(landmarks, torch.tensor([1.0, 1.0, 10.0, 10.0]), (11, 11))
    owned = weights > 0
    assert owned.sum(0).max() == 1
    # only the farthest pixels of a cell have no weight left
    assert (owned.sum(0) == 0).sum() <= 4
    assert owned[:, 5, 5].tolist() == [True, False, False]
    assert owned[-1].sum() == 11 * 11 - 9 * 9


def test_a_box_holds_pixels_whose_centre_is_on_its_low_edges_and_not_those_on_its_high_edges():
    weights = voronoi_weights(torch.tensor([[2.0, 2.0]]), torch.tensor([1.5, 0.5, 4.5, 3.5]), (6, 7))
    inside = torch.zeros(6, 7, dtype=torch.bool)
    inside[0:3, 1:4] = True
    assert torch.equal(weights[-1] == 0, inside)


def test_a_box_without_visible_landmarks_has_no_weight_for_any():
    weights = voronoi_weights(torch.full((2, 2), NAN), torch.tensor([1.0, 1.0, 3.0, 3.0]), (4, 4))
    assert not weights[:2].any()
    assert (weights[2].sum(), weights[2, 1:3, 1:3].sum()) == (12, 0)


def test_a_box_as_large_as_the_image_leaves_no_context():
    weights = voronoi_weights(
        torch.tensor([[1.5, 1.5], [9.5, 1.5], [1.5, 9.5]]), torch.tensor([0.0, 0.0, 4.0, 4.0]), (4, 4)
    )
    assert weights[0, 1, 1] == 1
    assert not weights[1:].any()


def test_cell_of_a_single_pixel_has_full_weight():
    weights = voronoi_weights(torch.tensor([[3.9, 3.5]]), torch.tensor([3.0, 3.0, 4.0, 4.0]), (6, 6))
    assert weights[0, 3, 3] == 1
    assert weights[0].sum() == 1


def test_masks_may_overlap_and_the_context_is_what_none_covers():
    masks = torch.zeros(2, 3, 3, dtype=torch.bool)
    masks[0, :2] = masks[1, 1:, 1:] = True
    weights = mask_weights(masks)
    assert torch.equal(weights[:2].bool(), masks)
    assert weights[2].tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("grid", [None, ReceptiveField(offset=2.0, stride=3.5, size=9)])
def test_shares_are_weighted_sums_of_the_upsampled_maps_scaled_to_sum_1(grid):
    generator = torch.Generator().manual_seed(0)
    maps, weights = torch.rand(3, 4, 5, 4, generator=generator), torch.rand(3, 2, 12, 16, generator=generator)
    maps[1, 2] = 0
    explanation = Explanation(maps, grid=grid)
    heat = explanation.heatmaps(12, 16)
    expected = torch.einsum("nkyx,nryx->nkr", heat / heat.sum((2, 3), keepdim=True), weights)
    found = torch.stack(list(region_shares(explanation, iter(weights), (12, 16))))
    assert found[1, 2].isnan().all()
    torch.testing.assert_close(found, expected, equal_nan=True)


def test_shares_do_not_depend_on_the_size_of_maps_or_the_precision_of_weights():
    maps = torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    [large], [small] = (list(region_shares(Explanation(maps * scale), weights, (8, 8))) for scale in (1, 1e-6))
    torch.testing.assert_close(small, large)


def test_images_without_weights_are_an_error():
    with pytest.raises(ValueError, match="shorter"):
        list(region_shares(Explanation(torch.ones(2, 1, 4, 4)), torch.ones(1, 2, 8, 8), (8, 8)))
