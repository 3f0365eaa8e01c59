from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partbench.functional.statistics import mean_of_known, relative_deviation, relative_errors


def test_mean_of_known_leaves_nan_out_and_is_nan_where_all_are():
    rows = np.array([[1.0, np.nan, 4.0], [np.nan] * 3, [0.0, 0.0, 3.0], [np.nan, 5.0, np.nan]])
    np.testing.assert_array_equal(mean_of_known(rows), [2.5, np.nan, 1, 5])
    assert np.isnan(mean_of_known(np.array([])))


def test_relative_errors_are_ratios_of_means_also_without_each_image():
    errors, y = np.array([[1.0, 2.0], [3.0, 6.0], [0.0, 1.0]]), np.array([2.0, 6.0, 1.0])
    value, left_out = relative_errors(errors, y)
    np.testing.assert_allclose(value, [4 / 9, 9 / 9])
    np.testing.assert_allclose(left_out, [[3 / 7, 7 / 7], [1 / 3, 3 / 3], [4 / 8, 8 / 8]])
    np.testing.assert_allclose(relative_errors(errors / 99, y / 99)[0], value)


def test_relative_errors_have_no_value_where_the_mean_is_not_positive():
    value, left_out = relative_errors(np.ones((2, 3)), np.array([-2.0, 1.0]))
    assert np.isnan(value).all()
    assert np.isnan(left_out).tolist() == [[False] * 3, [True] * 3]


def literal_deviation(predicted, explained):
    span = max(explained) - min(explained)
    return np.mean([abs(a - b) for a, b in zip(predicted, explained, strict=True)]) / span if span else np.nan


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=9))
def test_relative_deviation_is_the_mean_over_the_range_also_without_each_image(pairs):
    predicted, explained = np.array(pairs, dtype=float).T
    value, left_out = relative_deviation(predicted, explained)
    assert value == pytest.approx(literal_deviation(predicted, explained), nan_ok=True)
    rest = [[np.delete(of, i) for of in (predicted, explained)] for i in range(len(pairs))]
    np.testing.assert_allclose(left_out, [literal_deviation(*of) for of in rest])


def test_a_logit_that_is_nan_is_left_out_of_the_mean_and_the_range():
    value, left_out = relative_deviation(np.array([1.0, 1.0, 1.5, 1.0]), np.array([0.0, np.nan, 2.0, 1.0]))
    assert value == pytest.approx((0.5 + 0.25 + 0) / 3)
    assert np.isnan(left_out).tolist() == [False, True, False, False]
    assert np.isnan(relative_deviation(np.array([]), np.array([]))[0])
