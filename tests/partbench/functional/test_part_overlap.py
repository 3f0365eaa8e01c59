from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Batch, Explanation, NotApplicable, ReceptiveField
from partbench.functional import MarkedParts, PartOverlap
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
    strict = min(value for value in cells if np.mean(cells > value) <= quantile + 1e-9)
    if strict < cells.max() or cells.min() == cells.max():
        assert found == strict
    else:  # nothing exceeds it: the cells tied at the maximum go in, no others
        assert ((cells > found) == (cells == cells.max())).all()


@pytest.mark.parametrize("high", [1.0, np.nextafter(np.float32(0.5), np.float32(1))])
def test_cells_tied_at_the_maximum_exceed_a_threshold_half_way_to_the_next_value(high):
    maps = np.array([0.25, 0.5, high, high], np.float32).reshape(1, 1, 2, 2)
    (found,) = thresholds([maps], 0.25)
    assert found == (0.75 if high == 1 else 0.5)
    assert (maps > found).sum() == 2


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


def literal_regions(explanation, limits, size, region, radius):
    """Pixel by pixel: where the upsampled map exceeds its limit, or a cell that does is at most `radius` away."""
    if region == "upsampled":
        return explanation.heatmaps(*size).numpy() > limits[:, None, None]
    maps = explanation.maps.numpy()
    n, k, h, w = maps.shape
    y, x = (np.arange(side) + 0.5 for side in size)
    found = np.zeros((n, k, *size), dtype=bool)
    for image, f, i, j in np.argwhere(maps > limits[:, None, None]):
        centre = (i + 0.5) * size[0] / h, (j + 0.5) * size[1] / w
        found[image, f] |= (y[:, None] - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    return found


@pytest.mark.parametrize(("region", "radius", "used"), [("upsampled", None, 0), ("disk", None, 6), ("disk", 6.5, 6.5)])
@pytest.mark.parametrize("overlap", [0.0, 0.15, 0.4])
def test_shares_are_those_of_regions_made_pixel_by_pixel(region, radius, used, overlap):
    """Maps of 4 x 3 cells on 12 x 18 px; a radius that is not told is the longer step of the cells."""
    rng, n, size = np.random.default_rng(0), 8, (12, 18)
    masks = np.zeros((n, 4, *size), dtype=bool)
    for image, part in np.ndindex(n, 3):  # the fourth part is on no image
        y, x = rng.integers(0, 9, 2)
        masks[image, part, y : y + rng.integers(0, 8), x : x + rng.integers(1, 11)] = True
    maps = torch.from_numpy(rng.random((n, 5, 4, 3)).astype(np.float32))
    maps[0] = 0
    found = PartOverlap(quantile=0.15, overlap=overlap, region=region, radius=radius)
    for part in (slice(0, 3), slice(3, n)):
        pixels, labels = torch.zeros(n, 3, *size)[part], torch.zeros(n, dtype=torch.long)[part]
        ids = tuple(map(str, range(n)))[part]
        found.add(Batch(ids, pixels, labels, masks=torch.from_numpy(masks[part])), Explanation(maps[part]))
    limits = np.quantile(maps.numpy().swapaxes(0, 1).reshape(5, -1), 0.85, axis=1, method="inverted_cdf")
    regions = literal_regions(Explanation(maps), limits, size, region, used)[:, :, None]
    common, either = ((how(regions, masks[:, None])).sum((3, 4)) for how in (np.logical_and, np.logical_or))
    hits = common > overlap * either
    with np.errstate(invalid="ignore"):
        expected = hits.sum(0) / masks.any((2, 3)).sum(0)
    np.testing.assert_allclose(found.shares(), expected)
    assert 0 < np.nanmean(expected) < 1


def test_an_overlap_as_large_as_the_limit_is_not_above_it():
    masks = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool)
    masks[:, 0, :2, :2] = True
    maps = torch.zeros(2, 1, SIZE, SIZE)
    maps[:, 0, :2, 0], maps[1, 0, 0, 1] = 1, 1  # IoU 1/2 and 3/4
    overlap = PartOverlap(quantile=0.05, overlap=0.5)
    overlap.add(batch(2, masks=masks), Explanation(maps, grid=ReceptiveField(0.5, 1, 1)))
    assert overlap.shares().tolist() == [[0.5]]


def random_marks(images=40, filters=5):
    rng = np.random.default_rng(0)
    shown = rng.random((images, 3)) < [0.9, 0.4, 1.0]
    return MarkedParts((rng.random((images, filters, 3)) < 0.4) & shown[:, None], shown)


def test_evidence_of_the_images_is_the_share_and_differs_for_those_that_show_the_part():
    marks, parts = random_marks(), np.array([0, 1, 1, 2, 0])
    evidence = marks.evidence(parts)
    assert evidence.mean() == pytest.approx(marks.shares[np.arange(5), parts].mean(), abs=1e-12)
    of_one = marks.evidence(np.full(5, 1))
    np.testing.assert_allclose(of_one[~marks.shown[:, 1]], marks.shares[:, 1].mean())
    assert of_one[marks.shown[:, 1]].std() > 0.1


def test_standard_error_of_the_evidence_is_near_that_of_the_jackknife():
    marks, parts = random_marks(), np.array([0, 1, 1, 2, 0])
    left = [
        MarkedParts(np.delete(marks.hits, i, 0), np.delete(marks.shown, i, 0)).shares[np.arange(5), parts].mean()
        for i in range(40)
    ]
    jackknife = np.sqrt(39 / 40 * np.square(left - np.mean(left)).sum())
    assert marks.evidence(parts).std(ddof=1) / np.sqrt(40) == pytest.approx(jackknife, rel=0.06)


def test_marks_with_disks_of_several_radii_are_those_of_each_alone():
    rng = np.random.default_rng(0)
    masks, maps = torch.from_numpy(rng.random((6, 2, SIZE, SIZE)) < 0.6), torch.from_numpy(rng.random((6, 4, 4, 4)))
    found = []
    for radius in (2.0, 6.0):
        overlap = PartOverlap(quantile=0.1, region="disk", radius=radius)
        overlap.add(batch(6, masks=masks), Explanation(maps))
        found.append(overlap.shares())
    together = overlap.marked_parts([2.0, 6.0])
    for alone, of_radius in zip(found, together, strict=True):
        np.testing.assert_array_equal(of_radius.shares, alone)
    assert (found[0] != found[1]).any()
