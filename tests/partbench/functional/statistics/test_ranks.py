from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from partbench.functional.statistics import rank_agreement


@given(st.lists(st.lists(st.integers(-3, 3), min_size=5, max_size=5), min_size=2, max_size=2))
@settings(max_examples=60, deadline=None)
def test_agreement_is_spearmans_correlation(rows):
    found, truth = (np.array([row], dtype=float) for row in rows)
    value = rank_agreement(found, truth, np.ones((1, 5), dtype=bool))[0]
    if np.ptp(truth) == 0:
        assert np.isnan(value)
    elif np.ptp(found) == 0:
        assert value == 0
    else:
        assert value == pytest.approx(spearmanr(found[0], truth[0]).statistic)


def test_values_that_do_not_differ_agree_with_nothing_and_a_truth_that_does_not_differ_ranks_nothing():
    constant, rising = np.ones((1, 4)), np.arange(4.0)[None]
    used = np.ones((1, 4), dtype=bool)
    assert rank_agreement(constant, rising, used).tolist() == [0]
    assert np.isnan(rank_agreement(rising, constant, used)).all()


def test_only_the_columns_used_are_ranked_and_two_are_too_few():
    found, truth = np.array([[1.0, 2, 3, 9]] * 3), np.array([[10.0, 20, 30, -5]] * 3)
    used = np.array([[True, True, True, False], [True] * 4, [True, True, False, False]])
    values = rank_agreement(found, truth, used)
    assert values[0] == pytest.approx(1)
    assert values[1] == pytest.approx(spearmanr(found[1], truth[1]).statistic)
    assert np.isnan(values[2])
