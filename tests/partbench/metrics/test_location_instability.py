from __future__ import annotations

import dataclasses
import itertools
import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, InputError, Metric, NotApplicable, PerformerOutputs, ReceptiveField
from partbench.metrics.location_instability import LocationInstability, PartFollowing
from partbench.testing import check_metric

NAN = float("nan")
D, FOLLOWING = "location_instability", "part_following"
METRICS = (LocationInstability, PartFollowing)


def literal_entries(maps, marks, centres, top=100, alive_only=True):
    """Per filter and landmark the (position, landmark) pairs of the best images: the pseudo-code, loop by loop."""
    rows, columns = centres
    table = []
    for f in range(maps.shape[1]):
        table.append([])
        for k in range(marks.shape[1]):
            found = []
            for image in range(len(maps)):
                cells = maps[image, f].tolist()
                score, i, j = max(
                    ((v, -i, -j) for i, line in enumerate(cells) for j, v in enumerate(line)), key=lambda cell: cell
                )
                visible = not any(math.isnan(v) for v in marks[image, k].tolist())
                if visible and (score > 0 or not alive_only):
                    found.append((-score, image, (columns[-j], rows[-i]), tuple(marks[image, k].tolist())))
            table[f].append([(position, mark) for *_, position, mark in sorted(found)[:top]])
    return table


def literal_instability(table, marks, diagonal, spread, least=3):
    """D_f from the pairs, with `spread(pairs)` for each landmark that enough images have."""
    having = (~marks.isnan().any(-1)).sum(0).tolist()
    counted = [k for k in range(marks.shape[1]) if having[k] >= least]
    values = []
    for row in table:
        enough = all(len(row[k]) >= least for k in counted)
        values.append(statistics.mean(spread(row[k]) for k in counted) / diagonal if enough else NAN)
    entered = [statistics.mean(len(row[k]) for k in counted) for row in table]
    return values, entered


def own_spread(pairs):
    return statistics.stdev(math.dist(position, mark) for position, mark in pairs)


def shuffled_spread(pairs):
    """The mean over the cyclic shifts of one permutation."""
    n = len(pairs)
    first = torch.randperm(n, generator=torch.Generator().manual_seed(0)).tolist()
    shifts = [first[s:] + first[:s] for s in range(n)]
    return statistics.mean(own_spread([(pairs[j][0], pairs[i][1]) for i, j in enumerate(shift)]) for shift in shifts)


def centres_of(grid, cells, size):
    if grid is not None:
        return tuple([grid.offset + grid.stride * i for i in range(n)] for n in cells)
    return tuple([(i + 0.5) * pixels / n for i in range(n)] for n, pixels in zip(cells, size, strict=True))


def scene(seed, images, filters, landmarks, cells=(3, 4), size=16):
    """Maps of few whole values, so that scores tie and maps are dead, and landmarks of which some are absent."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randint(0, 9, (images, filters, *cells), generator=generator).float()
    maps *= torch.rand(images, filters, 1, 1, generator=generator) < 0.8
    marks = torch.rand(images, landmarks, 2, generator=generator) * size
    marks[torch.rand(images, landmarks, generator=generator) < 0.3] = NAN
    return maps, marks


def peaked(positions, size=16):
    """Maps at image resolution with one peak each, at x, y: positions (n, k, 2) in whole px."""
    n, k = positions.shape[:2]
    maps = torch.zeros(n, k, size, size)
    maps[torch.arange(n)[:, None], torch.arange(k), positions[..., 1].long(), positions[..., 0].long()] = 1
    return maps


def random_places(*shape, seed=0, size=16):
    return torch.randint(0, size, (*shape, 2), generator=torch.Generator().manual_seed(seed)).float()


@pytest.fixture(scope="session")
def measured(make_batch, make_outputs):
    """`measured(metric, maps, marks, grid=None, category=None, many=1, **outputs)`: all Scores, per name."""

    def run(metric, maps, marks, grid=None, category=None, many=1, size=(16, 16), located=None):
        n = len(maps)
        outputs = dataclasses.replace(
            make_outputs(torch.zeros(n, 2)), category=category, category_logits=torch.zeros(n, many), located=located
        )
        metric.update(
            make_batch(n, images=torch.zeros(n, 3, *size), landmarks=marks), Explanation(maps, grid=grid), outputs
        )
        return metric.compute()

    return run


@pytest.mark.parametrize("grid", [None, ReceptiveField(offset=-1.0, stride=4.5, size=9)])
@pytest.mark.parametrize("alive_only", [True, False])
@given(st.integers(0, 10_000), st.integers(4, 12), st.integers(3, 6), st.sampled_from([(16, 16), (12, 20)]))
@settings(max_examples=12, deadline=None)
def test_values_equal_those_of_the_pseudo_code_loop_by_loop(measured, grid, alive_only, seed, images, top, size):
    maps, marks = scene(seed, images, 4, 3)
    if (~marks.isnan().any(-1)).sum(0).max() < 3:
        return
    found = measured(LocationInstability(least=3, top=top, alive_only=alive_only), maps, marks, grid, size=size)
    following = measured(PartFollowing(least=3, top=top, alive_only=alive_only), maps, marks, grid, size=size)[
        FOLLOWING
    ]
    table = literal_entries(maps, marks, centres_of(grid, (3, 4), size), top, alive_only)
    values, entered = literal_instability(table, marks, math.hypot(*size), own_spread)
    shuffled, _ = literal_instability(table, marks, math.hypot(*size), shuffled_spread)
    np.testing.assert_allclose(found[D].values, values, atol=1e-6)
    np.testing.assert_allclose(found[f"{D}@shuffled"].values, shuffled, atol=1e-6)
    np.testing.assert_allclose(found[f"{D}@images"].values, entered)
    np.testing.assert_allclose(following.values, np.subtract(shuffled, values), atol=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_values_of_many_categories_equal_the_pseudo_code_for_both_assignments(measured, seed):
    maps, marks = scene(seed, 48, 5, 2)
    category = torch.arange(48) % 4 - 1
    found = measured(LocationInstability(least=3, top=6), maps, marks, category=category, many=3)
    following = measured(PartFollowing(least=3, top=6), maps, marks, category=category, many=3)[FOLLOWING].values
    values, shuffled, activation = [], [], []
    for c in range(3):
        of = category == c
        table = literal_entries(maps[of], marks[of], centres_of(None, (3, 4), (16, 16)), 6)
        values.append(literal_instability(table, marks[of], math.hypot(16, 16), own_spread)[0])
        shuffled.append(literal_instability(table, marks[of], math.hypot(16, 16), shuffled_spread)[0])
        shown = maps[of][(~marks[of].isnan()).any(-1).any(-1)]
        activation.append([statistics.mean(image[f].max().item() for image in shown) for f in range(5)])
    lowest = np.nanargmin(values, 0)
    most = np.argmax(activation, 0)
    filters = np.arange(5)
    np.testing.assert_allclose(found[D].values, np.array(values)[lowest, filters], atol=1e-6)
    np.testing.assert_allclose(found[f"{D}@shuffled"].values, np.array(shuffled)[lowest, filters], atol=1e-6)
    np.testing.assert_allclose(found[f"{D}@max_activation"].values, np.array(values)[most, filters], atol=1e-6)
    np.testing.assert_allclose(following, np.subtract(shuffled, values)[most, filters], atol=1e-6)


def test_instability_is_zero_for_a_detector_at_a_constant_offset(measured):
    marks = random_places(40, 1, size=10)
    maps = peaked(torch.cat([marks + torch.tensor(offset) for offset in ((0.0, 0.0), (5.0, 2.0), (1.0, 6.0))], 1))
    found = measured(LocationInstability(least=3), maps, marks)
    np.testing.assert_allclose(found[D].values, 0, atol=1e-12)
    assert min(found[f"{D}@shuffled"].values) > 0.1


@given(st.integers(0, 10_000), st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=15, deadline=None)
def test_moving_positions_and_landmarks_together_changes_nothing(measured, seed, right, down):
    places, marks = random_places(12, 3, seed=seed, size=10), random_places(12, 2, seed=seed + 1, size=10)
    move = torch.tensor([float(right), float(down)])
    for metric in METRICS:
        before, after = (
            measured(metric(least=3), peaked(places), marks),
            measured(metric(least=3), peaked(places + move), marks + move),
        )
        for name, scores in before.items():
            np.testing.assert_allclose(after[name].values, scores.values, atol=1e-12)


def test_of_equal_scores_the_earlier_images_enter_and_of_equal_cells_the_first(measured):
    maps = torch.zeros(5, 1, 4, 4)
    maps[:, 0, 1, 2] = maps[:, 0, 2, 1] = 1
    maps[4] = 2 * maps[4]
    marks = torch.tensor([3.0, 5.0, 9.0, 14.0, 7.0])[:, None, None].expand(5, 1, 2)
    found = measured(LocationInstability(least=3, top=3), maps, marks, ReceptiveField(offset=0, stride=4, size=4))
    distances = [math.dist((8, 4), (at, at)) for at in (3, 5, 7)]
    assert found[D].values[0] == pytest.approx(statistics.stdev(distances) / math.hypot(16, 16))
    assert list(found[f"{D}@images"].values) == [3]


def test_only_images_that_have_the_landmark_compete_for_its_entries(measured):
    """The two images of highest score lack the second landmark, which takes the next three."""
    maps = peaked(random_places(6, 1)) * torch.arange(6, 0, -1).float()[:, None, None, None]
    marks = random_places(6, 2, seed=1)
    marks[:2, 1] = NAN
    table = literal_entries(maps, marks, ([i + 0.5 for i in range(16)],) * 2, top=3)
    assert [table[0][1][i][1] for i in (0, 1, 2)] == [tuple(marks[i, 1].tolist()) for i in (2, 3, 4)]
    found = measured(LocationInstability(least=3, top=3), maps, marks)[D].values[0]
    assert found == pytest.approx(literal_instability(table, marks, math.hypot(16, 16), own_spread)[0][0])


def test_dead_filter_has_no_value_unless_maps_without_a_peak_are_let_in(measured):
    maps, marks = peaked(random_places(10, 2)), random_places(10, 1, seed=1)
    maps[:, 1] = 0
    found = measured(LocationInstability(least=3), maps, marks)
    assert np.isnan(found[D].values).tolist() == [False, True]
    assert list(found[f"{D}@images"].values) == [10, 0]
    assert np.isnan(measured(PartFollowing(least=3), maps, marks)[FOLLOWING].values).tolist() == [False, True]
    corner = torch.zeros(10, 1, 16, 16)
    corner[:, 0, 0, 0] = 1
    let_in = measured(LocationInstability(least=3, alive_only=False), maps, marks)[D].values[1]
    assert let_in == measured(LocationInstability(least=3), corner, marks)[D].values[0]


def test_filter_alive_on_too_few_images_with_one_of_the_landmarks_has_no_value(measured):
    maps, marks = peaked(random_places(6, 2)), random_places(6, 2, seed=1)
    marks[3:, 1] = NAN
    maps[0, 1] = 0
    found = measured(LocationInstability(least=3), maps, marks)
    assert np.isnan(found[D].values).tolist() == [False, True]
    assert list(found[f"{D}@images"].values) == [4.5, 3.5]
    assert found[f"{D}@few_entries"].value == 0.5


def test_ten_images_must_enter_unless_told(measured):
    """A filter that is alive on nine images that look alike would have an instability of 0."""
    maps, marks = peaked(torch.full((40, 2, 2), 8.0)), random_places(40, 1)
    marks[:10] = 3
    maps[9:, 0] = 0
    maps[10:, 1] = 0
    np.testing.assert_allclose(measured(LocationInstability(least=9), maps, marks)[D].values, [0, 0], atol=1e-12)
    found = measured(LocationInstability(), maps, marks)
    np.testing.assert_allclose(found[D].values, [NAN, 0], atol=1e-12)
    assert found[f"{D}@few_entries"].value == 0.5


@pytest.mark.parametrize("images_with_it", [0, 1, 2])
def test_landmark_on_too_few_images_does_not_count(measured, images_with_it):
    maps, marks = peaked(random_places(8, 3)), random_places(8, 2, seed=1)
    marks[images_with_it:, 1] = NAN
    for metric in METRICS:
        without, found = measured(metric(least=3), maps, marks[:, :1]), measured(metric(least=3), maps, marks)
        for name, scores in without.items():
            np.testing.assert_array_equal(found[name].values, scores.values)


@pytest.mark.parametrize("metric", METRICS)
def test_located_landmarks_alone_are_used(measured, metric):
    maps, marks = peaked(random_places(8, 3)), random_places(8, 3, seed=1)
    found, expected = (
        measured(metric(least=3), maps, marks, located=(2, 0)),
        measured(metric(least=3), maps, marks[:, [2, 0]]),
    )
    np.testing.assert_array_equal(found[metric.name].values, expected[metric.name].values)


@pytest.mark.parametrize("metric", METRICS)
def test_without_landmarks_to_use_it_is_not_applicable(measured, metric):
    maps, marks = peaked(random_places(3, 1)), random_places(3, 1)
    with pytest.raises(NotApplicable, match="names no landmarks"):
        measured(metric(least=3), maps, marks, located=())
    with pytest.raises(NotApplicable, match="no landmark is on 3 images of a category"):
        measured(metric(least=3), maps, torch.full_like(marks, NAN))
    with pytest.raises(NotApplicable, match="no landmark is on 3 images of a category"):
        measured(metric(least=3), maps, marks, category=torch.arange(3), many=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 1}, "top is 1, expected greater than or equal to 3"),
        ({"least": 2}, "least is 2, expected greater than or equal to 3"),
        ({"top": 9}, "top is 9, expected at least least, which is 10"),
    ],
)
def test_too_few_entries_are_refused(options, message):
    with pytest.raises(InputError, match=f"location_instability: {message}"):
        LocationInstability(**options)


def test_filter_that_follows_one_category_and_fires_on_the_other_is_told_by_the_two_assignments(measured):
    marks = random_places(80, 1)
    category = torch.arange(80) % 2
    places = torch.where(category[:, None, None] == 0, marks, random_places(80, 1, seed=1))
    maps = peaked(places) * (1 + category)[:, None, None, None]
    found = measured(LocationInstability(least=3), maps, marks, category=category, many=2)
    other = category == 1
    alone = measured(LocationInstability(least=3), maps[other], marks[other])[D].values
    assert found[D].values[0] == pytest.approx(0, abs=1e-12)
    assert found[f"{D}@shuffled"].values[0] > 0.1
    np.testing.assert_array_equal(found[f"{D}@max_activation"].values, alone)
    following = measured(PartFollowing(least=3), maps, marks, category=category, many=2)[FOLLOWING]
    np.testing.assert_array_equal(
        following.values, measured(PartFollowing(least=3), maps[other], marks[other])[FOLLOWING].values
    )


def test_task_of_one_category_has_no_assignment_and_images_of_none_are_left_out(measured):
    maps, marks = peaked(random_places(9, 2)), random_places(9, 1, seed=1)
    category = torch.tensor([0, -1, 0] * 3)
    found, expected = (
        measured(LocationInstability(least=3), maps, marks, category=category),
        measured(LocationInstability(least=3), maps[category == 0], marks[category == 0]),
    )
    assert list(found) == [D, f"{D}@shuffled", f"{D}@images", f"{D}@few_entries"]
    for name, scores in expected.items():
        np.testing.assert_array_equal(found[name].values, scores.values)


@given(st.integers(0, 10_000), st.integers(3, 130), st.integers(0, 15), st.integers(0, 15))
@settings(max_examples=25, deadline=None)
def test_constant_position_follows_exactly_nothing(measured, seed, images, x, y):
    marks = torch.rand(images, 3, 2, generator=torch.Generator().manual_seed(seed)) * 16
    maps = peaked(torch.tensor([float(x), float(y)]).expand(images, 2, 2))
    assert list(measured(PartFollowing(least=3), maps, marks)[FOLLOWING].values) == [0, 0]
    found = measured(LocationInstability(least=3), maps, marks)
    np.testing.assert_array_equal(found[f"{D}@shuffled"].values, found[D].values)


def test_perfect_tracker_beats_a_noisy_one_which_beats_random_places_which_beat_the_inverted(measured, aggregate):
    marks = random_places(100, 1)
    noisy = (marks + random_places(100, 30, seed=1, size=7) - 3).clamp(0, 15)
    cases = marks.expand(100, 30, 2), noisy, random_places(100, 30, seed=2), 15 - marks.expand(100, 30, 2)
    following = [aggregate(measured(PartFollowing(least=3), peaked(places), marks)[FOLLOWING]) for places in cases]
    instability = [aggregate(measured(LocationInstability(least=3), peaked(places), marks)[D]) for places in cases]
    assert following == sorted(following, reverse=True)
    assert instability == sorted(instability)
    assert following[1] > 0.05
    assert following[2] == pytest.approx(0, abs=0.008)
    assert following[3] < -0.01


def test_standing_still_at_the_centre_beats_random_places_in_instability_but_follows_nothing(measured, aggregate):
    marks, centre = random_places(100, 1), torch.full((100, 30, 2), 8.0)
    still, spread = (
        aggregate(measured(LocationInstability(least=3), peaked(places), marks)[D])
        for places in (centre, random_places(100, 30, seed=1))
    )
    assert still < 0.75 * spread
    assert aggregate(measured(PartFollowing(least=3), peaked(centre), marks)[FOLLOWING]) == 0


def test_random_places_follow_nothing_in_many_categories_though_their_lowest_instability_lies_below_its_null(measured):
    marks, maps = random_places(200, 1), peaked(random_places(200, 150, seed=1))
    category = torch.arange(200) % 10
    found = measured(LocationInstability(least=3), maps, marks, category=category, many=10)
    following = np.array(measured(PartFollowing(least=3), maps, marks, category=category, many=10)[FOLLOWING].values)
    selected = np.subtract(found[f"{D}@shuffled"].values, found[D].values)
    assert abs(following.mean()) < 3 * following.std() / math.sqrt(len(following))
    assert selected.mean() > 5 * selected.std() / math.sqrt(len(selected))


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(1, 19)), many=st.sampled_from([1, 3]))
@settings(max_examples=15, deadline=None)
def test_any_split_into_batches_gives_the_same_scores(measured, metric, seed, cuts, many):
    maps, marks = scene(seed, 20, 4, 2)
    category = torch.randint(0, many, (20,), generator=torch.Generator().manual_seed(seed))
    whole, parts = metric(least=3, top=4), metric(least=3, top=4)
    try:
        expected = measured(whole, maps, marks, category=category, many=many)
    except NotApplicable:
        return
    parts_of = [slice(a, b) for a, b in itertools.pairwise([0, *sorted(cuts), 20])]
    for part in parts_of:
        try:
            found = measured(parts, maps[part], marks[part], category=category[part], many=many)
        except NotApplicable:  # no landmark on two images so far
            continue
    assert found.keys() == expected.keys()
    for name, scores in expected.items():
        np.testing.assert_array_equal(found[name].values, scores.values)


def test_state_does_not_grow_with_images(measured):
    metric, sizes = LocationInstability(least=3, top=5), []
    for seed in range(4):
        measured(metric, *scene(seed, 50, 3, 2))
        tops = metric._top[""].values()
        sizes.append(sum(t.numel() for top in tops for t in vars(top).values() if torch.is_tensor(t)))
    assert sizes[0] == sizes[-1] == 6 * 3 * 2 * 5 + 2 + 3


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("many", [1, 3])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_evidence_of_the_images_has_the_aggregate_as_its_mean(measured, aggregate, metric, many, seed):
    maps, marks = scene(seed, 40, 5, 3)
    category = torch.arange(40) % many
    found = measured(metric(least=3, top=8), maps, marks, category=category, many=many)
    with_evidence = {name: scores for name, scores in found.items() if len(scores.evidence)}
    assert {D, f"{D}@shuffled", FOLLOWING} & {*found} <= {*with_evidence}
    for scores in with_evidence.values():
        assert list(scores.images) == [f"image {i}" for i in range(40)]
        assert np.mean(scores.evidence) == pytest.approx(aggregate(scores), abs=1e-9, nan_ok=True)


def test_an_image_that_enters_nowhere_says_the_aggregate(measured, aggregate):
    maps, marks = peaked(random_places(20, 3)), random_places(20, 1, seed=1)
    marks[4] = NAN
    for metric in METRICS:
        scores = measured(metric(), maps, marks)[metric.name]
        assert scores.evidence[4] == pytest.approx(aggregate(scores))
        assert np.std(scores.evidence) > 0.1 * abs(aggregate(scores))


def before_masks(places):
    """Maps with a second, lower peak at these places that a mask has removed."""
    return 0.5 * peaked(places)


def test_maps_before_their_masks_are_read_too(make_batch, make_outputs, measured, aggregate):
    """A mask that stands still hides a filter that follows the landmark."""
    marks = random_places(40, 1)
    unmasked, masked = before_masks(marks), peaked(torch.full((40, 1, 2), 8.0))
    for metric, still, moving in ((LocationInstability(), 0.2, 0.0), (PartFollowing(), 0.0, 0.2)):
        explanation = Explanation(masked, unmasked=lambda: unmasked)
        metric.update(make_batch(40, landmarks=marks), explanation, make_outputs(torch.zeros(40, 2)))
        found = metric.compute()
        plain, before = (found[f"{metric.name}{reading}"] for reading in ("", "@unmasked"))
        assert aggregate(plain) == pytest.approx(still, abs=0.1)
        assert aggregate(before) == pytest.approx(moving, abs=0.1)
        assert aggregate(before) == aggregate(measured(type(metric)(), unmasked, marks)[metric.name])
        assert np.mean(before.evidence) == pytest.approx(aggregate(before), abs=1e-9)


def test_without_masks_there_is_no_reading_before_them(make_batch, make_outputs):
    for metric in (LocationInstability(), PartFollowing()):
        explanation = Explanation(peaked(random_places(12, 1)), unmasked=lambda: None)
        batch = make_batch(12, landmarks=random_places(12, 1, seed=1))
        metric.update(batch, explanation, make_outputs(torch.zeros(12, 2)))
        assert not [name for name in metric.compute() if "unmasked" in name]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("many", [None, 1, 2])
def test_public_contract_check_passes(make_batch, metric, many):
    maps, marks = scene(1, 12, 3, 2)
    logits = torch.zeros(12, 2)
    outputs = PerformerOutputs(logits, torch.ones(12, dtype=torch.bool), 0, logits[:, 0], lambda images: logits)
    if many:
        outputs = dataclasses.replace(outputs, category=torch.arange(12) % many, category_logits=logits[:, :many])
    check_metric(metric(least=3, top=4), make_batch(12, landmarks=marks), Explanation(maps), outputs)
    assert isinstance(metric(least=3), Metric)
