from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, InputError, NotApplicable, ReceptiveField
from partbench.functional import voronoi_weights
from partbench.functional.statistics import bootstrap, entropy
from partbench.metrics.locality import Locality

NAN = float("nan")


def literal_locality(heatmaps, weights):
    """H per concept from heatmaps (n, k, H, W) and weights (n, r, H, W)."""
    shares = heatmaps / heatmaps.sum((2, 3), keepdims=True)
    histogram = np.einsum("nkyx,nryx->nkr", shares, weights).mean(0)
    histogram = histogram / histogram.sum(-1, keepdims=True)
    return [-sum(s * math.log(s) for s in row if s > 0) for row in histogram]


@pytest.mark.parametrize("grid", [None, ReceptiveField(offset=2.0, stride=3.5, size=9)])
@pytest.mark.parametrize("regions", ["landmarks", "masks"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_values_equal_those_of_the_upsampled_maps(score, make_batch, grid, regions, seed):
    torch.manual_seed(seed)
    maps, landmarks = torch.rand(3, 4, 5, 4) ** 4, torch.rand(3, 3, 2) * 15
    boxes, masks = torch.tensor([2.0, 3.0, 12.0, 13.0]).expand(3, 4), torch.rand(3, 3, 16, 16) < 0.2
    explanation = Explanation(maps, grid=grid)
    batch = make_batch(3, landmarks=landmarks, boxes=boxes, masks=masks)
    literal = np.stack([voronoi_weights(*image, (16, 16)) for image in zip(landmarks, boxes, strict=True)])
    if regions == "masks":
        literal = np.concatenate([masks.numpy(), ~masks.numpy().any(1, keepdims=True)], 1)
    found = score(Locality(regions=regions), explanation, batch=batch)["locality"]
    expected = literal_locality(explanation.heatmaps(16, 16).numpy(), literal)
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    assert found.value == pytest.approx(np.mean(expected), abs=1e-4)


def point_maps(places, size=16):
    """Maps at image resolution with all mass on one pixel each: places (n, k) of (x, y)."""
    maps = torch.zeros(len(places), len(places[0]), size, size)
    for i, row in enumerate(places):
        for k, (x, y) in enumerate(row):
            maps[i, k, y, x] = 1
    return Explanation(maps)


WHOLE = torch.tensor([0.0, 0.0, 16.0, 16.0])


def test_map_at_the_label_of_one_part_has_locality_zero(score, make_batch):
    landmarks = torch.tensor([[[3.5, 4.5], [12.5, 10.5]]]).expand(5, 2, 2)
    batch = make_batch(5, landmarks=landmarks, boxes=WHOLE.expand(5, 4))
    found = score(Locality(), point_maps([[(3, 4), (12, 10)]] * 5), batch=batch)
    assert list(found["locality"].values) == [0, 0]


@given(st.integers(1, 8))
@settings(max_examples=8, deadline=None)
def test_equal_mass_on_every_part_has_locality_ln_parts(score, make_batch, parts):
    masks = torch.zeros(1, parts, 16, 16, dtype=torch.bool)
    for p in range(parts):
        masks[0, p, :, 2 * p : 2 * p + 2] = True
    maps = masks.any(1, keepdim=True).float()
    found = score(Locality(), Explanation(maps), batch=make_batch(1, masks=masks))
    assert found["locality"].values[0] == pytest.approx(math.log(parts), abs=1e-5)


def test_map_that_follows_a_part_beats_random_places_which_spread_over_the_parts(score, make_batch):
    rng = np.random.default_rng(0)
    marks = rng.integers(1, 15, size=(40, 4, 2))
    batch = make_batch(40, landmarks=torch.tensor(marks) + 0.5, boxes=WHOLE.expand(40, 4))
    oracle = score(Locality(), point_maps([[tuple(m[1])] for m in marks]), batch=batch)["locality"]
    chance = score(Locality(), point_maps([[tuple(rng.integers(0, 16, 2))] for _ in marks]), batch=batch)["locality"]
    assert oracle.value == 0
    assert chance.value > 1
    low, high = bootstrap(chance.evidence)
    assert low < chance.value < high
    assert not Locality.higher_is_better


def test_zero_map_is_counted_and_left_out_of_its_concept_only(score, make_batch):
    explanation = point_maps([[(3, 4), (3, 4)], [(12, 10), (3, 4)]])
    explanation.maps[1, 0] = 0
    batch = make_batch(
        2, landmarks=torch.tensor([[[3.5, 4.5], [12.5, 10.5]]]).expand(2, 2, 2), boxes=WHOLE.expand(2, 4)
    )
    found = score(Locality(least_images=1), explanation, batch=batch)
    assert list(found["locality"].values) == [0, 0]
    assert list(found["locality@empty_maps"].values) == [0, 0.5]
    assert np.isnan(found["locality"].evidence).all()  # without the first image the first concept has no value


@pytest.mark.parametrize(("images", "entries", "told"), [(20, 9, False), (20, 10, True), (4, 3, False), (4, 4, True)])
def test_a_concept_needs_maps_on_ten_images_or_on_all_where_there_are_fewer(score, make_batch, images, entries, told):
    explanation = point_maps([[(3, 4)]] * images)
    explanation.maps[entries:] = 0
    landmarks = torch.tensor([[[3.5, 4.5], [12.5, 10.5]]]).expand(images, 2, 2)
    batch = make_batch(images, landmarks=landmarks, boxes=WHOLE.expand(images, 4))
    assert np.isnan(score(Locality(), explanation, batch=batch)["locality"].value) != told


def test_an_integer_map_is_refused_at_the_door():
    """Integer division once made shares of 0 of it, and these a locality of 0."""
    with pytest.raises(ValueError, match="maps are int64, expected floating point numbers"):
        Explanation((torch.rand(2, 3, 4, 4) * 255).long())


@pytest.mark.parametrize("regions", ["landmarks", "masks"])
@pytest.mark.parametrize("value", [1.0, 1e-42, 3e38])
def test_a_uniform_map_of_any_size_spreads_over_all_regions(score, make_batch, regions, value):
    landmarks = torch.tensor([[[3.5, 4.5], [12.5, 10.5]]]).expand(2, 2, 2)
    masks = torch.zeros(2, 2, 16, 16, dtype=torch.bool)
    masks[:, 0, :8, :8], masks[:, 1, 8:, 8:] = True, True
    batch = make_batch(2, landmarks=landmarks, boxes=WHOLE.expand(2, 4), masks=masks)
    found = score(Locality(regions=regions), Explanation(torch.full((2, 1, 4, 4), value)), batch=batch)["locality"]
    assert found.value > math.log(2) - 0.01
    assert found.value > score(Locality(regions=regions), point_maps([[(3, 4)]] * 2), batch=batch)["locality"].value


def test_both_ways_to_tell_parts_are_given_where_the_data_has_both(score, make_batch):
    landmarks = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0)) * 15
    masks = torch.rand(3, 2, 16, 16, generator=torch.Generator().manual_seed(1)) < 0.3
    both = make_batch(3, landmarks=landmarks, boxes=WHOLE.expand(3, 4), masks=masks)
    explanation = Explanation(torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(2)))
    auto, cells = (score(Locality(regions=of), explanation, batch=both) for of in ("auto", "landmarks"))
    assert auto["locality"].value == cells["locality@masks"].value
    assert auto["locality@landmarks"].value == cells["locality"].value != auto["locality"].value
    only = score(Locality(), explanation, batch=make_batch(3, masks=masks))
    assert not {"locality@landmarks", "locality@masks"} & set(only)


def test_concept_without_mass_anywhere_has_no_value(score, make_batch):
    explanation = point_maps([[(3, 4), (3, 4)]])
    explanation.maps[:, 1] = 0
    batch = make_batch(1, landmarks=torch.tensor([[[3.5, 4.5]]]), boxes=WHOLE[None])
    found = score(Locality(), explanation, batch=batch)["locality"]
    np.testing.assert_array_equal(found.values, [0, NAN])
    assert found.value == 0


def test_image_without_visible_parts_is_left_out_and_counted(score, make_batch):
    landmarks = torch.tensor([[[3.5, 4.5], [12.5, 10.5]], [[NAN, NAN], [NAN, NAN]]])
    batch = make_batch(2, landmarks=landmarks, boxes=WHOLE.expand(2, 4))
    found = score(Locality(), point_maps([[(3, 4)], [(12, 10)]]), batch=batch)
    assert found["locality"].values[0] == 0
    assert list(found["locality@images_without_parts"].values) == [0, 1]


def test_no_image_with_parts_is_not_applicable(score, make_batch):
    batch = make_batch(2, masks=torch.zeros(2, 3, 16, 16, dtype=torch.bool))
    with pytest.raises(NotApplicable, match="none of 2 images"):
        score(Locality(), point_maps([[(3, 4)]] * 2), batch=batch)


def test_absent_part_dilutes_its_share_unless_skipped(score, make_batch):
    """Part 1 is seen on one image of two and takes all mass there: 1/2 against 1, or 1 against 1."""
    landmarks = torch.tensor([[[3.5, 4.5], [NAN, NAN]], [[3.5, 4.5], [12.5, 10.5]], [[3.5, 4.5], [NAN, NAN]]])
    batch = make_batch(3, landmarks=landmarks, boxes=WHOLE.expand(3, 4))
    explanation = point_maps([[(3, 4)], [(12, 10)], [(3, 4)]])
    zero = score(Locality(), explanation, batch=batch)["locality"].values[0]
    skip = score(Locality(absent="skip"), explanation, batch=batch)["locality"].values[0]
    assert zero == pytest.approx(entropy(np.array([2 / 3, 1 / 3, 0])))
    assert skip == pytest.approx(entropy(np.array([2 / 3, 1, 0])))


def test_masks_are_preferred_to_landmarks_unless_told_otherwise(score, make_batch):
    masks = torch.zeros(1, 2, 16, 16, dtype=torch.bool)
    masks[:, 0, :, :8], masks[:, 1, :, 8:] = True, True
    batch = make_batch(1, masks=masks, landmarks=torch.tensor([[[3.5, 4.5]]]), boxes=WHOLE[None])
    halves = Explanation(torch.ones(1, 1, 16, 16))
    assert score(Locality(), halves, batch=batch)["locality"].value == pytest.approx(math.log(2))
    assert score(Locality(regions="landmarks"), halves, batch=batch)["locality"].value == 0


@pytest.mark.parametrize(
    ("regions", "known", "missing"),
    [("auto", {}, "landmarks"), ("auto", {"landmarks": torch.zeros(2, 1, 2)}, "boxes"), ("masks", {}, "masks")],
)
def test_dataset_without_parts_is_not_applicable_and_names_what_is_missing(score, make_batch, regions, known, missing):
    with pytest.raises(NotApplicable, match=f"no {missing}"):
        score(Locality(regions=regions), point_maps([[(3, 4)]] * 2), batch=make_batch(2, **known))


def test_unknown_option_value_is_an_input_error_that_lists_the_known_ones():
    with pytest.raises(InputError, match="locality: regions is 'cells', expected one of auto, masks, landmarks"):
        Locality(regions="cells")
