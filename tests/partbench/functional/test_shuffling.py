from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
import torch

from partbench.functional import shuffle_gap, shuffling
from partbench.functional.shuffling import shuffles


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
    gaps = torch.stack([shuffle_gap(entries, seed)[0] for seed in range(1500)]).mean(0)
    np.testing.assert_allclose(gaps, [enumerated_gap(p) for p in pairs], atol=0.004)


def test_shuffles_pair_every_position_once_with_every_landmark():
    """Positions in one point of two: the deviation tells which pairs met, so its mean is known for three images."""
    entries = torch.tensor([[[0.0, 0.0, 3.0]], [[0.0, 0.0, 4.0]], [[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]]).double()
    # at equal landmarks every shuffle has the distances 0, 0, 5: nothing is gained
    assert shuffle_gap(entries)[0].item() == pytest.approx(0, abs=1e-12)
    entries[2:, 0, 2] = entries[:2, 0, 2]
    # position and landmark 3 meet in one shuffle of three (0, 0, 0), else the distances are 0, 5, 5
    assert shuffle_gap(entries)[0].item() == pytest.approx(2 / 3 * statistics.stdev([0, 5, 5]))


def test_small_blocks_give_the_same_gaps(monkeypatch):
    entries = torch.rand(4, 12, 9, generator=torch.Generator().manual_seed(0)).double()
    expected = shuffle_gap(entries)
    monkeypatch.setattr(shuffling, "BLOCK", 1)
    torch.testing.assert_close(shuffle_gap(entries), expected, rtol=1e-12, atol=1e-14)


def test_positions_that_are_all_alike_gain_exactly_nothing():
    entries = torch.rand(4, 3, 50, generator=torch.Generator().manual_seed(0)).double()
    entries[:2, 1] = entries[:2, 1, :1]
    entries[0, 2] = 1.0  # in x alone
    gaps, effects = shuffle_gap(entries)
    assert gaps[1] == 0
    assert (effects[1] == 0).all()
    assert (gaps[[0, 2]] != 0).all()


def literal_gap(entries, dealt):
    """From x, y of positions and of landmarks (4, n), and the positions dealt in each shuffle."""
    pairs = [list(zip(entries[:2, list(order)].T.tolist(), entries[2:].T.tolist(), strict=True)) for order in dealt]
    own, *shuffled = [own_spread(of_shuffle) for of_shuffle in pairs]
    return statistics.mean(shuffled) - own


def without(order, entry):
    """A shuffle without an entry: who met its landmark meets the landmark that it met; the rest is renumbered."""
    joined = list(order)
    joined[joined.index(entry)] = joined[entry]
    del joined[entry]
    return [j - (j > entry) for j in joined]


def test_effects_are_the_jackknifes_with_the_shuffles_of_the_entries_that_are_left():
    n = 7
    entries = torch.rand(4, 2, n, generator=torch.Generator().manual_seed(0)).double()
    dealt = shuffles(n, 0).tolist()
    effects = shuffle_gap(entries)[1]
    for row in range(2):
        left = []
        for entry in range(n):
            rest = [i for i in range(n) if i != entry]
            left.append(literal_gap(entries[:, row, rest], [without(order, entry) for order in dealt]))
        np.testing.assert_allclose(effects[row], (n - 1) * (np.mean(left) - left), atol=1e-6)


def test_a_shuffle_without_an_entry_is_a_uniform_shuffle():
    found = [tuple(without(order, 1)) for order in itertools.permutations(range(4))]
    assert {order: found.count(order) for order in found} == dict.fromkeys(itertools.permutations(range(3)), 4)
