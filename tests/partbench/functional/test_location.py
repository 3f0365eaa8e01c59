from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from partbench.functional import (
    LocatedImages,
    TopLocations,
    filter_values,
    location_deviations,
    most_active,
    shuffle_gap,
)
from partbench.functional.location import distance_deviation


def images(scores, marks=None, first=0):
    """Of one filter, these scores, positions on a diagonal and landmarks (all at 0 unless told), numbered."""
    n = len(scores)
    positions = torch.arange(n).float().expand(2, n)[..., None] * 3
    marks = torch.zeros(2, n, 1) if marks is None else torch.tensor(marks).expand(2, n)[..., None]
    scores = torch.tensor(scores)[:, None]
    return LocatedImages(scores, positions, marks, scores > 0, first + torch.arange(n))


def test_the_best_scores_are_stored_in_order_and_of_equals_the_earlier():
    top = TopLocations.empty(1, 1)
    top.add(images([1.0, 5.0, 5.0]), top=3)
    top.add(images([5.0, 9.0, 0.0], first=3), top=3)
    assert top.entries[0, 0, 0].tolist() == [9, 5, 5]
    assert top.entries[1, 0, 0].tolist() == [3, 3, 6]  # x of images 1 of the second batch, 1 and 2 of the first
    assert top.numbers[0, 0].tolist() == [4, 1, 2]
    assert (top.images.tolist(), top.located, top.activation.tolist()) == ([6], 6, [25])


def test_an_image_without_the_landmark_counts_nowhere_and_one_that_does_not_enter_counts_as_an_image():
    top = TopLocations.empty(1, 1, least=3)
    top.add(images([4.0, 0.0, 2.0, 3.0], [0.0, 0.0, math.nan, 0.0]), top=9)
    assert (top.images.tolist(), top.entered.tolist(), top.located) == ([3], [[2]], 3)
    assert top.activation.tolist() == [7]
    assert top.counted.tolist() == [True]


def test_a_landmark_on_too_few_images_does_not_count_and_a_filter_with_too_few_entries_has_no_value():
    two, three, enough = (TopLocations.empty(1, 1, least=3) for _ in range(3))
    two.add(images([4.0, 4.0]), top=9)
    three.add(images([4.0, 4.0, 0.0]), top=9)
    enough.add(images([4.0, 4.0, 4.0]), top=9)
    assert (two.counted.tolist(), three.counted.tolist()) == ([False], [True])
    assert location_deviations([three]).isnan().all()
    assert location_deviations([enough]).isfinite().all()


def test_deviation_has_one_degree_of_freedom_less_than_images():
    entries = torch.tensor([[[0.0, 3.0, 6.0]], [[0.0, 4.0, 8.0]], [[0.0] * 3], [[0.0] * 3]]).double()
    assert distance_deviation(entries)[0].item() == pytest.approx(5)


def test_effects_are_the_derivative_by_the_weights_of_the_entries():
    entries = torch.rand(4, 2, 12, generator=torch.Generator().manual_seed(0)).double()
    weights = torch.full((12,), 1 / 12, dtype=torch.float64, requires_grad=True)
    share = weights / weights.sum()
    distances = torch.hypot(*(entries[:2] - entries[2:]))
    squares = (distances - (share * distances).sum(1, keepdim=True)).square()
    deviation = ((share * squares).sum(1) * 12 / 11).sqrt()
    found, effects = distance_deviation(entries)
    torch.testing.assert_close(found, deviation.detach())
    for row in range(2):
        (expected,) = torch.autograd.grad(deviation[row], weights, retain_graph=True)
        torch.testing.assert_close(effects[row], expected)


def test_entries_at_one_distance_have_no_effect():
    assert distance_deviation(torch.ones(4, 2, 5).double())[1].tolist() == [[0.0] * 5] * 2


def test_deviations_are_means_over_landmarks_and_each_filter_is_judged_in_the_category_chosen_for_it():
    generator = torch.Generator().manual_seed(0)
    categories = []
    for level in (1.0, 2.0):
        top = TopLocations.empty(2, 2, least=3)
        scores = torch.tensor([level, 3 - level]).expand(7, 2) + torch.rand(7, 2, generator=generator) / 9
        places, marks = (9 * torch.rand(2, 7, 2, generator=generator) for _ in range(2))
        top.add(LocatedImages(scores, places, marks, scores > 0, torch.arange(7)), top=5)
        categories.append(top)
    chosen = most_active(categories)
    assert chosen.tolist() == [1, 0]
    deviations, gaps = location_deviations(categories), filter_values(categories, chosen, shuffle_gap, 7).values
    for row, top in enumerate(categories):
        for filter in range(2):
            rows = top.entries[1:, filter].double()
            assert deviations[row, filter] == pytest.approx(distance_deviation(rows)[0].mean().item())
            if chosen[filter] == row:
                assert gaps[filter] == pytest.approx(shuffle_gap(rows)[0].mean().item())


def world(images, filters=6, seed=0):
    """Filters that follow the first of two landmarks, the later the looser; landmarks are absent here and there."""
    generator = torch.Generator().manual_seed(seed)
    marks = torch.rand(2, images, 2, generator=generator) * 10
    spread = torch.linspace(0.5, 5, filters)
    places = marks[:, :, :1] + spread * torch.randn(2, images, filters, generator=generator)
    marks[:, torch.rand(images, 2, generator=generator) < 0.2] = math.nan
    return LocatedImages(
        torch.rand(images, filters, generator=generator), places, marks, torch.tensor(True), torch.arange(0)
    )


def mean_over(seen, rows, top, measure):
    """The FilterValues of some of the images, the entries chosen anew."""
    found = TopLocations.empty(seen.scores.shape[1], 2)
    scores, numbers = seen.scores[rows], torch.arange(len(rows))
    found.add(LocatedImages(scores, seen.positions[:, rows], seen.landmarks[:, rows], scores > 0, numbers), top)
    return filter_values([found], torch.zeros(scores.shape[1], dtype=torch.long), measure, len(rows))


def jackknife_error(seen, top, measure):
    """The standard error of the mean over filters, by leaving out one image after the other."""
    n = len(seen.scores)
    rows = [[j for j in range(n) if j != i] for i in range(n)]
    left = np.array([mean_over(seen, r, top, measure).values.mean().item() for r in rows])
    return math.sqrt((n - 1) / n * np.square(left - left.mean()).sum())


@pytest.mark.parametrize(("n", "top"), [(60, 100), (60, 30), (150, 100)])
def test_standard_error_of_the_evidence_is_near_that_of_the_jackknife_that_chooses_the_entries_anew(n, top):
    ratios = []
    for seed in range(4):
        seen = world(n, seed=seed)
        evidence = mean_over(seen, list(range(n)), top, distance_deviation).evidence
        ratios.append(evidence.std().item() / math.sqrt(n) / jackknife_error(seen, top, distance_deviation))
    assert 0.8 < np.mean(ratios) < 1.02


def many_shuffles(entries):
    """The gap over 3000 shuffles drawn anew, whose own error is small beside that of the images."""
    n = entries.shape[2]
    generator = torch.Generator().manual_seed(0)
    dealt = torch.rand(3000, n, generator=generator).argsort(1)
    x, y = entries[:2, :, None] - entries[2:, :, :, None]
    distances = torch.hypot(x, y).flatten(1)
    met = distances[:, torch.arange(n) * n + dealt].std(-1).mean(1)
    return met - distances[:, torch.arange(n) * (n + 1)].std(-1), torch.zeros(entries.shape[1], n).double()


@pytest.mark.parametrize(("n", "top"), [(30, 100), (40, 20)])
def test_standard_error_of_the_gap_is_near_that_of_the_jackknife_that_chooses_the_entries_anew(n, top):
    ratios = []
    for seed in range(3):
        seen = world(n, filters=2, seed=seed)
        found = mean_over(seen, list(range(n)), top, shuffle_gap)
        assert found.evidence.mean().item() == pytest.approx(found.values.mean().item(), abs=1e-9)
        ratios.append(found.evidence.std().item() / math.sqrt(n) / jackknife_error(seen, top, many_shuffles))
    assert 0.75 < np.mean(ratios) < 1.15


def test_evidence_is_the_aggregate_for_an_image_that_enters_nowhere():
    seen = world(30)
    seen.landmarks[:, 7] = math.nan
    found = mean_over(seen, list(range(30)), 100, distance_deviation)
    assert found.evidence[7] == found.values.mean()
    assert found.over(2.0).evidence[7] == found.values.mean() / 2
    both = found + found
    torch.testing.assert_close(both.evidence, 2 * found.evidence)
    torch.testing.assert_close(both.values, 2 * found.values)
