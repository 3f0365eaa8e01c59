from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Batch, Explanation, InputError, NotApplicable, ReceptiveField
from partbench.metrics.part_interpretability import PartInterpretability
from partbench.testing import check_metric

NAN = float("nan")
SIZE = 16
GRIDS = [None, ReceptiveField(offset=2.5, stride=4.0, size=9), ReceptiveField(offset=-2.5, stride=5.0, size=9)]


def smooth(rng, *shape):
    """Random maps in which neighbours are alike, zero in places."""
    noise = rng.normal(size=(*shape[:-2], shape[-2] + 1, shape[-1] + 1))
    mixed = noise[..., 1:, 1:] + noise[..., :-1, 1:] + noise[..., 1:, :-1] + noise[..., :-1, :-1]
    return torch.from_numpy(np.maximum(mixed, 0)).float()


def blobs(rng, n, p, width=SIZE):
    """Rectangles as masks (n, p, H, W), some absent."""
    masks = torch.zeros(n, p, SIZE, width, dtype=torch.bool)
    for i in range(n):
        for k in range(p):
            (y, x), (h, w) = rng.integers(0, 8, 2), rng.integers(0, 12, 2)
            masks[i, k, y : y + h, x : x + w] = True
    return masks


def centres(grid, cells, pixels):
    step = pixels / cells if grid is None else grid.stride
    offset = step / 2 if grid is None else grid.offset
    return [offset + step * i for i in range(cells)]


def literal_region(cells, threshold, grid, shape, radius):
    """Pixel by pixel: bilinear interpolation above the threshold, or disks around cells above it."""
    rows, columns = (np.arange(pixels) + 0.5 for pixels in shape)
    y_centres, x_centres = (centres(grid, count, pixels) for count, pixels in zip(cells.shape, shape, strict=True))
    if radius is None:
        wide = np.stack([np.interp(columns, x_centres, row) for row in cells])
        return np.stack([np.interp(rows, y_centres, column) for column in wide.T], 1) > threshold
    region = np.zeros(shape, bool)
    for i, j in zip(*np.nonzero(cells > threshold), strict=True):
        for y, x in np.ndindex(shape):
            region[y, x] |= math.hypot(rows[y] - y_centres[i], columns[x] - x_centres[j]) <= radius
    return region


def literal_shares(maps, masks, grid, quantile, overlap, radius):
    """P_fk from the definitions, with sets of pixels; NaN for a part on no image."""
    shares = np.full((maps.shape[1], masks.shape[1]), NAN)
    for f in range(maps.shape[1]):
        cells = sorted(maps[:, f].ravel(), reverse=True)
        threshold = cells[math.floor(quantile * len(cells))]
        regions = [literal_region(image, threshold, grid, masks.shape[-2:], radius) for image in maps[:, f]]
        for k in range(masks.shape[1]):
            hits = []
            for region, mask in zip(regions, masks[:, k], strict=True):
                marked, part = (set(zip(*np.nonzero(pixels), strict=True)) for pixels in (region, mask))
                if part:
                    hits.append(len(part & marked) / len(part | marked) > overlap)
            shares[f, k] = np.mean(hits) if hits else NAN
    return shares


@pytest.fixture(scope="module")
def run(score, make_batch, make_outputs):
    """`run(maps, known, parts=(), grid=None, measured=None, **options)`: Scores of a batch with the fields `known`.

    The region is the upsampled map unless told.
    """

    def work(maps, known, parts=(), grid=None, measured=None, **options):
        options = {"region": "upsampled"} | options
        outputs = make_outputs(torch.zeros(len(maps), 2))
        outputs = dataclasses.replace(outputs, parts=parts, measured_field=lambda: measured)
        shape = known["masks"].shape[-2:] if "masks" in known else (SIZE, SIZE)
        batch = make_batch(len(maps), images=torch.zeros(len(maps), 3, *shape), **known)
        return score(PartInterpretability(**options), Explanation(maps, grid=grid), outputs, batch)

    return work


@pytest.mark.parametrize("radius", [None, 3.3, 5.0])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.2])
def test_values_equal_those_of_the_definitions(run, grid, radius, overlap):
    seen = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        maps, masks = smooth(rng, 6, 4, 4, 5), blobs(rng, 6, 3, width=21)
        options = {"quantile": 0.25, "overlap": overlap, "radius": radius}
        expected = literal_shares(maps.numpy(), masks.numpy(), grid, **options)
        region = "upsampled" if radius is None else "disk"
        found = run(maps, {"masks": masks}, ("a", "b", "c"), grid, region=region, **options)
        np.testing.assert_allclose(found["part_interpretability"].values, expected.max(1))
        for k, name in enumerate("abc"):
            assert found[f"part_interpretability@part={name}"].value == pytest.approx(expected[:, k].mean())
        seen.append(expected)
    assert np.std(seen) > 0.1


def squares(places, size=32, side=3):
    """Masks (n, 1, H, W) of a square with its corner at each place (y, x)."""
    masks = torch.zeros(len(places), 1, size, size, dtype=torch.bool)
    for i, (y, x) in enumerate(places):
        masks[i, 0, y : y + side, x : x + side] = True
    return masks


def test_part_detector_scores_one_a_random_place_less_and_the_centre_nothing_where_the_part_never_is(run):
    rng = np.random.default_rng(0)
    places = [(y, x) for y, x in rng.integers(0, 29, (60, 2)) if max(abs(y - 14), abs(x - 14)) > 5]
    part = squares(places)
    maps = torch.cat([part, squares(rng.permutation(places)), squares([(14, 14)] * len(places))], 1).float()
    found = run(maps, {"masks": part}, ("head",), quantile=0.02)["part_interpretability"]
    oracle, chance, centre = found.values
    assert oracle == 1
    assert oracle > 0.5 > chance > centre == 0
    assert list(found.units) == ["0 head", "1 head", "2"]
    assert PartInterpretability.higher_is_better


def test_share_is_a_mean_over_the_images_that_show_the_part_not_a_maximum(run):
    part = squares([(2, 2), (20, 5), (8, 8), (3, 9)])
    maps = part.float()
    maps[2:] = squares([(25, 25)] * 2).float()
    part[3] = False
    assert run(maps, {"masks": part}, quantile=0.02)["part_interpretability"].values[0] == pytest.approx(2 / 3)


def test_cells_equal_to_the_threshold_are_in_the_region_only_if_no_cell_exceeds_it(run):
    """A detector that is equally sure of more cells than the share allows marks its part all the same."""
    part = squares([(2, 2), (20, 5)])
    for quantile in (9 / 1024, 8 / 1024, 1 / 9999):
        assert run(part.float(), {"masks": part}, quantile=quantile)["part_interpretability"].values[0] == 1
    surer = part.float()
    surer[:, :, 0, 0] = 2  # the two cells that the share allows are no part's
    assert run(surer, {"masks": part}, quantile=2 / 2048)["part_interpretability"].values[0] == 0


@given(st.floats(0, 0.9375, width=32), st.sampled_from(GRIDS[:2]))
@settings(max_examples=30, deadline=None)
def test_pixels_among_cells_at_the_threshold_are_not_in_the_region_whatever_the_rounding(run, value, grid):
    """Two cells stand out of a plateau: the region is what they reach, and nothing of the plateau between them."""
    maps = torch.full((1, 1, 4, 4), value)
    maps[0, 0, 0, 0] = maps[0, 0, 3, 3] = 1
    reached = Explanation((maps == 1).float(), grid=grid).heatmaps(SIZE, SIZE) > 0
    found = run(maps, {"masks": reached}, grid=grid, quantile=2 / 16, overlap=0.999)
    assert found["part_interpretability"].values[0] == 1


@pytest.mark.parametrize("region", ["upsampled", "disk"])
@pytest.mark.parametrize("value", [0.0, 0.1, 0.7])
def test_constant_map_marks_nothing(run, region, value):
    whole = {"masks": torch.ones(3, 1, SIZE, SIZE, dtype=torch.bool)}
    found = run(torch.full((3, 2, 5, 5), value), whole, ("a",), region=region)
    assert list(found["part_interpretability"].values) == [0, 0]
    assert list(found["part_interpretability"].units) == ["0", "1"]
    assert found["part_interpretability@best=a"].value == 0


def test_intersection_over_union_must_exceed_the_overlap(run):
    """One pixel of a part of five."""
    part = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    part[0, 0, 4, 4:9] = True
    maps = torch.zeros(1, 1, SIZE, SIZE)
    maps[0, 0, 4, 4] = 1
    assert run(maps, {"masks": part}, quantile=0.02)["part_interpretability"].values[0] == 0
    assert run(maps, {"masks": part}, quantile=0.02, overlap=0.19)["part_interpretability"].values[0] == 1


@pytest.mark.parametrize(("radius", "reach"), [(None, 4.0), (2.0, 2.0)])
def test_disk_around_the_only_active_cell_is_one_stride_wide_unless_told(run, radius, reach):
    """The part is that very disk: the overlap is full."""
    y, x = np.ogrid[:SIZE, :SIZE]
    disk = torch.from_numpy((y - 6.0) ** 2 + (x - 10.0) ** 2 <= reach**2)[None, None]
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 1, 2] = 1
    grid = ReceptiveField(offset=6.5 - 4, stride=4.0, size=9)
    found = run(maps, {"masks": disk}, grid=grid, region="disk", radius=radius, quantile=0.1, overlap=0.999)
    assert found["part_interpretability"].values[0] == 1


def test_best_part_names_the_unit_and_ties_go_to_the_first(run):
    masks = torch.zeros(4, 3, 32, 32, dtype=torch.bool)
    masks[:, 0], masks[:, 1], masks[:, 2] = (squares([(5, x)] * 4)[:, 0] for x in (2, 12, 22))
    first, second = masks[:, 0].float(), masks[:, 1].float()
    mixed = torch.cat([first[:2], second[2:]])
    maps = torch.stack([second, mixed, torch.zeros_like(first)], 1)
    found = run(maps, {"masks": masks}, ("head", "leg", "tail"), quantile=0.01)
    assert list(found["part_interpretability"].units) == ["0 leg", "1 head", "2"]
    assert list(found["part_interpretability"].values) == [1, 0.5, 0]
    thirds = {"head": 1 / 3, "leg": 1 / 3, "tail": 0}
    for name, share in thirds.items():
        assert found[f"part_interpretability@best={name}"].value == pytest.approx(share)
    assert found["part_interpretability@part=leg"].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert list(run(maps, {"masks": masks}, quantile=0.01)["part_interpretability"].units) == ["0 1", "1 0", "2"]


def test_variants_have_a_value_and_no_units_and_shares_of_parts_have_evidence(run, aggregate):
    rng = np.random.default_rng(1)
    found = run(smooth(rng, 6, 20, 4, 4), {"masks": blobs(rng, 6, 2)}, ("a", "b"), quantile=0.05)
    main, *variants = found.values()
    assert next(iter(found)) == "part_interpretability"
    assert main.value is None
    assert np.mean(main.evidence) == pytest.approx(aggregate(main), abs=1e-9)
    assert len(variants) == 4
    for name, scores in found.items():
        if "@" in name:
            assert len(scores.units) == len(scores.values) == 0
            assert scores.low is None
            assert 0 <= scores.value <= 1
            assert scores.note == ""
        if "@part" in name:
            assert list(scores.images) == [f"image {i}" for i in range(6)]
            assert np.mean(scores.evidence) == pytest.approx(scores.value, abs=1e-9)


def test_disks_are_as_wide_as_the_measured_field_and_variants_narrower_and_wider(run, aggregate):
    rng = np.random.default_rng(2)
    maps, known = smooth(rng, 8, 10, 4, 4), {"masks": blobs(rng, 8, 2)}
    found = run(maps, known, measured=10.0, region="field", quantile=0.05)
    assert found["part_interpretability@field"].value == 10
    seen = set()
    for times, name in ((1.0, ""), (0.75, "@field=0.75"), (1.5, "@field=1.5")):
        alone = run(maps, known, region="disk", radius=times * 5, quantile=0.05)["part_interpretability"]
        scores = found[f"part_interpretability{name}"]
        np.testing.assert_array_equal(scores.values, alone.values)
        assert np.mean(scores.evidence) == pytest.approx(aggregate(scores), abs=1e-9)
        seen.add(aggregate(scores))
    assert len(seen) == 3
    assert not [name for name in run(maps, known, measured=10.0, region="disk") if "@field" in name]


def test_field_that_cannot_be_measured_is_a_share_of_the_width_and_a_note_says_so(run):
    maps, known = torch.rand(3, 2, 4, 4), {"masks": torch.ones(3, 1, SIZE, 21, dtype=torch.bool)}
    found = run(maps, known, region="field")
    assert found["part_interpretability@field"].value == pytest.approx(0.31 * 21)
    assert found["part_interpretability"].note == "the receptive field could not be measured: .31 of the width"
    assert run(maps, known, region="field", measured=4.0)["part_interpretability"].note == ""


def test_standard_error_of_the_evidence_is_near_that_of_the_jackknife(run):
    """The jackknife chooses thresholds and best parts anew."""
    rng = np.random.default_rng(0)
    part = torch.cat([squares([*rng.integers(0, 13, (30, 2))], 16), squares([*rng.integers(0, 13, (30, 2))], 16)], 1)
    noise = torch.from_numpy(rng.random((30, 8, 16, 16))).float()
    maps = noise + part[:, torch.arange(8) % 2].float() * torch.from_numpy(rng.random((30, 8, 1, 1)) < 0.6)

    def value(rows):
        found = run(maps[rows], {"masks": part[rows]}, region="disk", radius=2.0, quantile=0.01)
        return found["part_interpretability"]

    left = np.array([np.mean(value([j for j in range(30) if j != i]).values) for i in range(30)])
    jackknife = np.sqrt(29 / 30 * np.square(left - left.mean()).sum())
    whole = np.std(value(list(range(30))).evidence) / np.sqrt(30)
    assert whole == pytest.approx(jackknife, rel=0.15)


def test_part_on_no_image_is_left_out_and_no_part_at_all_is_not_applicable(run):
    masks = torch.cat([squares([(2, 2), (9, 9)]), torch.zeros(2, 1, 32, 32, dtype=torch.bool)], 1)
    maps = masks[:, :1].float()
    found = run(maps, {"masks": masks}, ("head", "tail"), quantile=0.02)
    assert {name.split("=")[-1] for name in found if "@" in name} == {"head"}
    with pytest.raises(NotApplicable, match="none of 2 images shows a part"):
        run(maps, {"masks": masks[:, 1:]}, ("tail",), quantile=0.02)


def test_boxes_of_parts_stand_in_for_masks_and_a_note_says_so(run):
    boxes = torch.tensor([[[2.0, 3.0, 7.0, 9.0], [NAN] * 4], [[1.0, 1.0, 4.0, 5.0], [8.0, 8.0, 16.0, 12.0]]])
    masks = torch.zeros(2, 2, SIZE, SIZE, dtype=torch.bool)
    masks[0, 0, 3:9, 2:7] = masks[1, 0, 1:5, 1:4] = masks[1, 1, 8:12, 8:16] = True
    maps = smooth(np.random.default_rng(2), 2, 8, 4, 4)
    boxed, masked = (run(maps, known, quantile=0.1) for known in ({"part_boxes": boxes}, {"masks": masks}))
    assert boxed.keys() == masked.keys()
    assert np.max(boxed["part_interpretability"].values) > 0
    for name, scores in boxed.items():
        np.testing.assert_array_equal(scores.values, masked[name].values)
        assert scores.value == masked[name].value
        assert (scores.note, masked[name].note) == ("part boxes stand in for masks", "")


def test_masks_are_preferred_to_boxes(run):
    part = squares([(2, 2), (9, 9)])
    found = run(part.float(), {"masks": part, "part_boxes": torch.zeros(2, 1, 4)}, quantile=0.02)
    assert found["part_interpretability"].values[0] == 1
    assert found["part_interpretability"].note == ""


def test_dataset_with_landmarks_only_is_not_applicable(run):
    with pytest.raises(NotApplicable, match="landmarks but no part masks or boxes"):
        run(torch.rand(2, 1, 4, 4), {"landmarks": torch.zeros(2, 1, 2)})


@pytest.mark.parametrize("region", ["upsampled", "disk"])
@pytest.mark.parametrize("known", ["masks", "part_boxes"])
def test_a_batch_scores_as_its_images_one_by_one(make_batch, make_outputs, region, known):
    rng = np.random.default_rng(3)
    low = torch.from_numpy(rng.uniform(0, 8, (9, 2, 2))).float()
    value = blobs(rng, 9, 2) if known == "masks" else torch.cat([low, low + 6], -1)
    batch, outputs = make_batch(9, **{known: value}), make_outputs(torch.zeros(9, 2))
    metric = PartInterpretability(quantile=0.05, region=region)
    check_metric(metric, batch, Explanation(smooth(rng, 9, 6, 4, 4), grid=GRIDS[1]), outputs)


def test_half_precision_maps_score_as_the_same_numbers_in_full_precision(run):
    rng = np.random.default_rng(4)
    maps, masks = smooth(rng, 5, 4, 5, 5).half(), blobs(rng, 5, 2)
    half, full = (run(m, {"masks": masks}, quantile=0.05)["part_interpretability"] for m in (maps, maps.float()))
    assert max(full.values) > 0
    np.testing.assert_array_equal(half.values, full.values)


def test_state_is_maps_at_cell_resolution_and_one_bit_per_pixel_and_part(make_batch, make_outputs):
    metric, maps = PartInterpretability(), torch.rand(4, 50, 5, 5)
    batch = make_batch(4, size=64, masks=torch.rand(4, 3, 64, 64) < 0.5)
    metric.update(batch, Explanation(maps), make_outputs(torch.zeros(4, 2)))
    assert sum(part.nbytes for part in metric._overlap._maps) == 4 * 50 * 5 * 5 * 4
    assert sum(part.nbytes for part in metric._overlap._masks) == 4 * 3 * 64 * 64 / 8


def test_maps_changed_by_their_explainer_afterwards_do_not_change_the_score(make_batch, make_outputs):
    part = squares([(2, 2), (9, 9)])
    maps, metric = part.float(), PartInterpretability(quantile=0.02, region="upsampled")
    batch: Batch = make_batch(2, size=32, masks=part)
    metric.update(batch, Explanation(maps), make_outputs(torch.zeros(2, 2)))
    maps.zero_()
    assert metric.compute()["part_interpretability"].values[0] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantile": 0.0}, "part_interpretability: quantile is 0.0, expected greater than 0"),
        ({"overlap": 1.0}, "overlap is 1.0, expected less than 1"),
        ({"region": "square"}, "region is 'square', expected one of field, disk, upsampled"),
        ({"radius": 0.0}, "radius is 0.0, expected greater than 0"),
    ],
)
def test_bad_option_is_an_input_error_that_says_what_is_expected(options, message):
    with pytest.raises(InputError, match=message):
        PartInterpretability(**options)
