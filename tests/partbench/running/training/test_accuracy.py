from __future__ import annotations

import numpy as np
import pytest

from partbench.running.training.accuracy import accuracy, balanced_accuracy


def test_the_interval_of_accuracy_is_wilsons() -> None:
    found, z = accuracy(np.arange(10) < 8), 1.959964
    centre, half = (0.8 + z**2 / 20) / (1 + z**2 / 10), z * np.sqrt(0.8 * 0.2 / 10 + z**2 / 400) / (1 + z**2 / 10)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, centre - half, centre + half), abs=1e-5)
    assert str(found) == "0.800 [0.490, 0.943]"


def test_of_one_class_balanced_accuracy_is_accuracy_and_all_right_still_has_a_lower_end() -> None:
    right = np.arange(10) < 8
    one, plain = balanced_accuracy(right, np.zeros(10, int)), accuracy(right)
    assert (one.value, one.low, one.high) == pytest.approx((plain.value, plain.low, plain.high))
    whole = balanced_accuracy(np.ones(20, bool), np.arange(20) % 2)
    assert whole.high == whole.value == 1
    assert 0.7 < whole.low < 0.9


def test_the_interval_of_balanced_accuracy_covers_the_truth_at_its_level() -> None:
    draw, labels = np.random.default_rng(0), np.repeat([0, 1, 2], [60, 20, 10])
    chance = np.array([0.95, 0.8, 0.6])
    found = [balanced_accuracy(draw.random(90) < chance[labels], labels) for _ in range(100)]
    covered = np.mean([one.low <= chance.mean() <= one.high for one in found])
    assert 0.88 <= covered <= 1
