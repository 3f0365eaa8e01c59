from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from partbench.functional.statistics import holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_adjusted_values_are_those_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(p)), multipletests(p, method="holm")[1])


def test_what_is_not_known_is_not_counted() -> None:
    found = holm(np.array([0.01, np.nan, 0.02]))
    assert found.tolist() == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert len(holm(np.empty(0))) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 3)), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_weighted_values_are_those_of_the_closed_test_of_weighted_bonferroni(pairs: list[tuple[float, float]]) -> None:
    """A hypothesis is rejected if every set that holds it is: min over the set of p / weight, times its weights."""
    p, weight = np.array(pairs).T
    expected = np.zeros(len(p))
    for members in itertools.product([False, True], repeat=len(p)):
        some = np.array(members)
        if some.any():
            of_set = min(1.0, float((p[some] / weight[some]).min() * weight[some].sum()))
            expected[some] = np.maximum(expected[some], of_set)
    np.testing.assert_allclose(holm(p, weight), expected, rtol=1e-9)


def test_hypotheses_that_share_a_weight_cost_the_others_no_more_than_one() -> None:
    one = holm(np.array([0.01, 0.02, 0.6]), np.array([1, 1, 1.0]))
    many = holm(np.array([0.01, 0.02, *[0.6] * 25]), np.array([1, 1, *[1 / 25] * 25]))
    assert many[:2].tolist() == pytest.approx(one[:2].tolist())
