import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from partbench.functional.statistics import pseudovalues, pseudovalues_of_known

SAMPLES = arrays(float, st.integers(3, 20), elements=st.floats(-10, 10))


def without_each(values, statistic):
    return np.array([statistic(np.delete(values, i)) for i in range(len(values))])


@given(SAMPLES)
def test_evidence_of_a_mean_is_the_values_themselves(values):
    evidence = pseudovalues(values.mean(), without_each(values, np.mean))
    assert np.allclose(evidence, values, atol=1e-9)


@given(SAMPLES)
def test_the_mean_of_the_evidence_is_the_statistic(values):
    evidence = pseudovalues(values.std(ddof=1), without_each(values, lambda some: some.std(ddof=1)))
    assert np.isclose(evidence.mean(), values.std(ddof=1), atol=1e-9)


def test_the_spread_of_the_evidence_is_the_standard_error_of_a_standard_deviation():
    values = np.random.default_rng(0).normal(size=2000)
    evidence = pseudovalues(values.std(ddof=1), without_each(values, lambda some: some.std(ddof=1)))
    expected = values.std(ddof=1) / np.sqrt(2 * (len(values) - 1))  # of a normal sample
    assert np.isclose(evidence.std(ddof=1) / np.sqrt(len(values)), expected, rtol=0.1)


def test_there_is_no_evidence_where_a_single_image_decides_whether_there_is_a_statistic():
    assert np.isnan(pseudovalues(1.0, np.array([1.0, np.nan, 0.5]))).all()
    assert len(pseudovalues(1.0, np.empty(0))) == 0


def test_images_that_do_not_count_change_no_evidence_of_those_that_do():
    left_out = np.array([1.0, np.nan, 0.5, 2.5])
    known = ~np.isnan(left_out)
    evidence = pseudovalues_of_known(1.0, left_out, known)
    assert np.isnan(evidence).tolist() == [False, True, False, False]
    assert evidence[known].tolist() == pseudovalues(1.0, left_out[known]).tolist()
