from __future__ import annotations

import numpy as np
import pytest

from partbench.functional.statistics import mean_of_known, relative_deviations, relative_errors


def test_mean_of_known_leaves_nan_out_and_is_nan_where_all_are():
    rows = np.array([[1.0, np.nan, 4.0], [np.nan] * 3, [0.0, 0.0, 3.0], [np.nan, 5.0, np.nan]])
    np.testing.assert_array_equal(mean_of_known(rows), [2.5, np.nan, 1, 5])
    assert np.isnan(mean_of_known(np.array([])))


def test_relative_errors_are_ratios_of_weighted_means():
    errors, y = np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([2.0, 6.0])
    weights = np.array([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]])
    expected = [[2 / 4, 4 / 4], [1 / 2, 2 / 2], [2.5 / 5, 5 / 5]]
    np.testing.assert_allclose(relative_errors(errors, y, weights), expected)
    np.testing.assert_allclose(relative_errors(errors / 99, y / 99, weights), expected)


@pytest.mark.parametrize("y", [[-1.0, 1.0], [-2.0, 1.0]])
def test_relative_errors_have_no_value_where_the_mean_is_not_positive(y):
    assert np.isnan(relative_errors(np.ones((2, 3)), np.array(y), np.full((1, 2), 0.5))).all()


def test_relative_deviations_are_shares_of_the_range_of_what_is_explained():
    found = relative_deviations(np.array([1.0, 9.0, 0.0]), np.array([0.0, 4.0, -6.0]))
    np.testing.assert_allclose(found, [0.1, 0.5, 0.6])
    np.testing.assert_allclose(relative_deviations(np.array([0.3, 0.3]), np.array([0.2, 0.7])), [0.2, 0.8])
    assert relative_deviations(np.array([]), np.array([])).tolist() == []
    assert np.isnan(relative_deviations(np.array([1.0, 2.0]), np.array([3.0, 3.0]))).all()


def test_a_logit_that_is_nan_is_left_out_of_the_range_and_has_no_deviation():
    found = relative_deviations(np.array([1.0, 1.0, 1.0]), np.array([0.0, np.nan, 2.0]))
    np.testing.assert_array_equal(found, [0.5, np.nan, 0.5])
