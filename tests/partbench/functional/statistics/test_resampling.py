from __future__ import annotations

import numpy as np
import pytest

from partbench.functional.statistics import bootstrap, interval, resampling_weights


def test_weights_of_a_draw_are_whole_counts_of_units_over_their_number():
    weights = resampling_weights(7, draws=200)
    assert weights.shape == (200, 7)
    counts = weights * 7
    np.testing.assert_allclose(counts, counts.round(), atol=1e-12)
    np.testing.assert_allclose(weights.sum(1), 1)
    assert weights.std(0).min() > 0


def test_weights_are_shared_read_only_and_the_same_for_a_seed():
    assert resampling_weights(5) is resampling_weights(5)
    assert not np.array_equal(resampling_weights(5), resampling_weights(5, seed=1))
    with pytest.raises(ValueError, match="read-only"):
        resampling_weights(5)[0, 0] = 1


def test_interval_holds_the_middle_share_of_the_draws_and_leaves_nan_out():
    draws = np.append(np.arange(101.0), [np.nan] * 50)
    assert interval(draws) == pytest.approx((2.5, 97.5))
    assert interval(draws, level=0.5) == pytest.approx((25, 75))
    assert np.isnan(interval(np.array([np.nan]))).all()


def test_bootstrap_is_as_wide_as_the_standard_error_of_the_mean_says():
    values = np.random.default_rng(3).normal(5, 2, size=400)
    low, high = bootstrap(np.append(values, np.nan))
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_bootstrap_of_fewer_than_two_is_nan_and_of_equal_values_is_that_value():
    assert np.isnan(bootstrap(np.array([np.nan, np.nan]))).all()
    assert np.isnan(bootstrap(np.array([0.3, np.nan]))).all()
    assert bootstrap(np.full(9, 2.5)) == pytest.approx((2.5, 2.5))


def test_bootstrap_is_the_interval_of_the_resampled_means_of_its_seed_0_unless_told():
    values = np.random.default_rng(0).normal(size=9)
    for seed, draws in ((0, 1000), (4, 50)):
        assert bootstrap(values, draws, seed) == interval(resampling_weights(9, draws, seed) @ values)
    assert bootstrap(values) == bootstrap(values, 1000, 0) != bootstrap(values, 1000, 1)


def test_columns_of_objects_are_read_as_numbers_and_none_as_nan():
    column = np.array([0, 50, 100, None], dtype=object)
    assert interval(column) == pytest.approx((2.5, 97.5))
    assert bootstrap(column) == bootstrap(np.array([0.0, 50, 100]))
