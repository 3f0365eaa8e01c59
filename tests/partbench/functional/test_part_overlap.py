from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Batch, Explanation, NotApplicable, ReceptiveField
from partbench.functional import PartOverlap
from partbench.functional.part_overlap import filled, thresholds

SIZE = 16


@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=60), st.sampled_from([0.005, 0.05, 0.1, 0.25, 0.5, 0.9]),
    st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_threshold_is_the_smallest_value_with_at_most_the_share_of_cells_above_it(values, quantile, batches):
    cells = np.array(values, np.float32)
    maps = [part[None, None, None] for part in np.array_split(cells, min(batches, len(cells)))]
    (found,) = thresholds(maps, quantile)
    assert found in cells
    assert np.mean(cells > found) <= quantile + 1e-9
    assert all(np.mean(cells > smaller) > quantile for smaller in cells[cells < found])


def test_thresholds_are_numpys_quantiles_over_all_images_of_all_batches():
    maps = np.random.default_rng(0).gamma(0.5, size=(100, 7, 14, 13)).astype(np.float32)
    found = thresholds(np.array_split(maps, 9), 0.005)
    cells = maps.swapaxes(0, 1).reshape(7, -1)
    np.testing.assert_array_equal(found, np.quantile(cells, 0.995, axis=1, method="inverted_cdf"))
    assert (cells > found[:, None]).mean(1) == pytest.approx(0.005)


@given(st.lists(st.floats(-2, 8, width=16), min_size=4, max_size=4))
def test_box_holds_the_pixels_whose_middle_is_inside(corners):
    x0, x1, y0, y1 = *sorted(corners[:2]), *sorted(corners[2:])
    (found,) = filled(np.array([[x0, y0, x1, y1]]), 5, 6)
    expected = [[x0 <= x + 0.5 < x1 and y0 <= y + 0.5 < y1 for x in range(6)] for y in range(5)]
    np.testing.assert_array_equal(found, expected)


def batch(n, **known):
    return Batch(tuple(map(str, range(n))), torch.zeros(n, 3, SIZE, SIZE), torch.zeros(n, dtype=torch.long), **known)


def test_shares_count_the_images_of_all_batches_that_show_the_part():
    """A detector that finds the part on two of three images that show it; a part on no image has no share."""
    masks = torch.zeros(4, 2, SIZE, SIZE, dtype=torch.bool)
    masks[:3, 0, 2:6, 2:6] = True
    maps = masks[:, :1].float()
    maps[2] = maps[2].flip(-1)
    overlap = PartOverlap(quantile=0.05)
    for part in (slice(0, 1), slice(1, 4)):
        overlap.add(batch(len(masks[part]), masks=masks[part]), Explanation(maps[part], grid=ReceptiveField(0, 1, 1)))
    assert (overlap.images, overlap.parts, overlap.from_boxes) == (4, 2, False)
    np.testing.assert_allclose(overlap.shares(), [[2 / 3, np.nan]])


@pytest.mark.parametrize("region", ["upsampled", "disk"])
def test_shares_lie_in_0_1_and_a_smaller_overlap_never_lowers_them(region):
    rng = np.random.default_rng(0)
    masks = torch.from_numpy(rng.random((6, 3, SIZE, SIZE)) < 0.3)
    maps, found = torch.from_numpy(rng.random((6, 5, 4, 4))).float(), []
    for least in (0.0, 0.1, 0.2):
        overlap = PartOverlap(quantile=0.2, overlap=least, region=region)
        overlap.add(batch(6, masks=masks), Explanation(maps))
        found.append(overlap.shares())
    assert (np.diff(found, axis=0) <= 0).all()
    assert (found[-1] < found[0]).any()
    assert ((found[0] >= 0) & (found[0] <= 1)).all()


def test_boxes_stand_in_for_masks_and_landmarks_do_not():
    overlap = PartOverlap()
    boxes = torch.tensor([[[2.0, 2.0, 6.0, 6.0]]])
    overlap.add(batch(1, part_boxes=boxes), Explanation(torch.rand(1, 2, 4, 4)))
    assert overlap.from_boxes
    with pytest.raises(NotApplicable, match="landmarks but no part masks or boxes"):
        overlap.add(batch(1, landmarks=torch.zeros(1, 1, 2)), Explanation(torch.rand(1, 2, 4, 4)))
