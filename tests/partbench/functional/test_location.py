from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
import torch

from partbench.functional import TopLocations, location, location_deviations, most_active, shuffle_gaps
from partbench.functional.location import distance_deviation, shuffle_gap


def own_spread(pairs):
    return statistics.stdev(math.dist(position, mark) for position, mark in pairs)


def enumerated_gap(pairs):
    every = itertools.permutations(range(len(pairs)))
    shuffled = [own_spread([(pairs[j][0], pairs[i][1]) for i, j in enumerate(order)]) for order in every]
    return statistics.mean(shuffled) - own_spread(pairs)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_shuffles_average_over_seeds_to_all_permutations(n):
    entries = torch.rand(4, 3, n, generator=torch.Generator().manual_seed(n)).double()
    pairs = [list(zip(entries[:2, r].T.tolist(), entries[2:, r].T.tolist(), strict=True)) for r in range(3)]
    gaps = torch.stack([shuffle_gap(entries, seed) for seed in range(1500)]).mean(0)
    np.testing.assert_allclose(gaps, [enumerated_gap(p) for p in pairs], atol=0.004)


def test_shuffles_pair_every_position_once_with_every_landmark():
    """Positions in one point of two: the deviation tells which pairs met, so its mean is known for three images."""
    entries = torch.tensor([[[0.0, 0.0, 3.0]], [[0.0, 0.0, 4.0]], [[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]]).double()
    # at equal landmarks every shuffle has the distances 0, 0, 5: nothing is gained
    assert shuffle_gap(entries).item() == pytest.approx(0, abs=1e-12)
    entries[2:, 0, 2] = entries[:2, 0, 2]
    # position and landmark 3 meet in one shuffle of three (0, 0, 0), else the distances are 0, 5, 5
    assert shuffle_gap(entries).item() == pytest.approx(2 / 3 * statistics.stdev([0, 5, 5]))


def images(scores, marks=None):
    """Of one filter, these scores, positions on a diagonal and landmarks (all at 0 unless told): what `add` takes."""
    n = len(scores)
    positions = torch.arange(n).float().expand(2, n)[..., None] * 3
    marks = torch.zeros(2, n, 1) if marks is None else torch.tensor(marks).expand(2, n)[..., None]
    scores = torch.tensor(scores)[:, None]
    return scores, positions, marks, scores > 0


def test_the_best_scores_are_stored_in_order_and_of_equals_the_earlier():
    top = TopLocations.empty(1, 1)
    top.add(*images([1.0, 5.0, 5.0]), top=3)
    top.add(*images([5.0, 9.0, 0.0]), top=3)
    assert top.entries[0, 0, 0].tolist() == [9, 5, 5]
    assert top.entries[1, 0, 0].tolist() == [3, 3, 6]  # x of images 1 of the second batch, 1 and 2 of the first
    assert (top.images.tolist(), top.located, top.activation.tolist()) == ([6], 6, [25])


def test_an_image_without_the_landmark_counts_nowhere_and_one_that_does_not_enter_counts_as_an_image():
    top = TopLocations.empty(1, 1)
    top.add(*images([4.0, 0.0, 2.0, 3.0], [0.0, 0.0, math.nan, 0.0]), top=9)
    assert (top.images.tolist(), top.entered.tolist(), top.located) == ([3], [[2]], 3)
    assert top.activation.tolist() == [7]
    assert top.counted.tolist() == [True]


def test_a_landmark_on_one_image_does_not_count_and_a_filter_with_one_entry_has_no_value():
    one, two = TopLocations.empty(1, 1), TopLocations.empty(1, 1)
    one.add(*images([4.0]), top=9)
    two.add(*images([4.0, 0.0]), top=9)
    assert (one.counted.tolist(), two.counted.tolist()) == ([False], [True])
    assert location_deviations([two]).isnan().all()


def test_deviation_has_one_degree_of_freedom_less_than_images():
    entries = torch.tensor([[[0.0, 3.0, 6.0]], [[0.0, 4.0, 8.0]], [[0.0] * 3], [[0.0] * 3]]).double()
    assert distance_deviation(entries).item() == pytest.approx(5)


def test_deviations_are_means_over_landmarks_and_each_filter_is_judged_in_the_category_chosen_for_it():
    generator = torch.Generator().manual_seed(0)
    categories = []
    for level in (1.0, 2.0):
        top = TopLocations.empty(2, 2)
        scores = torch.tensor([level, 3 - level]).expand(7, 2) + torch.rand(7, 2, generator=generator) / 9
        places, marks = (9 * torch.rand(2, 7, 2, generator=generator) for _ in range(2))
        top.add(scores, places, marks, scores > 0, top=5)
        categories.append(top)
    chosen = most_active(categories)
    assert chosen.tolist() == [1, 0]
    deviations, gaps = location_deviations(categories), shuffle_gaps(categories, chosen)
    for row, top in enumerate(categories):
        for filter in range(2):
            rows = top.entries[1:, filter].double()
            assert deviations[row, filter] == pytest.approx(distance_deviation(rows).mean().item())
            if chosen[filter] == row:
                assert gaps[filter] == pytest.approx(shuffle_gap(rows).mean().item())


def test_small_blocks_give_the_same_gaps(monkeypatch):
    entries = torch.rand(4, 12, 9, generator=torch.Generator().manual_seed(0)).double()
    expected = shuffle_gap(entries)
    monkeypatch.setattr(location, "BLOCK", 1)
    torch.testing.assert_close(shuffle_gap(entries), expected, rtol=1e-12, atol=0)


def test_positions_that_are_all_alike_gain_exactly_nothing():
    entries = torch.rand(4, 3, 50, generator=torch.Generator().manual_seed(0)).double()
    entries[:2, 1] = entries[:2, 1, :1]
    entries[0, 2] = 1.0  # in x alone
    gaps = shuffle_gap(entries)
    assert gaps[1] == 0
    assert (gaps[[0, 2]] != 0).all()
