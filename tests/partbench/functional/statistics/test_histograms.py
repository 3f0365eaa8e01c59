from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partbench.functional.statistics import entropies_left_out, entropies_of_means, entropy, entropy_fraction


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_entropy_agrees_with_its_formula_written_out(bins):
    total = sum(bins)
    expected = -sum(x / total * math.log(x / total) for x in bins if x) if total else math.nan
    assert entropy(np.array(bins, dtype=float)) == pytest.approx(expected, nan_ok=True)


def test_a_fraction_is_1_for_equal_bins_whatever_their_number_and_missing_for_a_single_bin():
    assert [float(entropy_fraction(np.ones(k))) for k in (2, 3, 9)] == pytest.approx([1, 1, 1])
    assert entropy_fraction(np.array([3.0, 0.0])) == 0
    assert np.isnan(entropy_fraction(np.ones((4, 1)))).all()


def literal(shares, counted=None):
    """Entropy of the mean, one concept and region at a time."""
    n, k, r = shares.shape
    found = np.empty(k)
    for j in range(k):
        mean = []
        for region in range(r):
            rows = [i for i in range(n) if not np.isnan(shares[i, j]).any()]
            if counted is not None:
                rows = [i for i in rows if counted[i, 0, region]]
            mean.append(sum(shares[i, j, region] for i in rows) / len(rows) if rows else 0.0)
        found[j] = entropy(np.array(mean))
    return found


@pytest.mark.parametrize("skipping", [False, True])
def test_entropies_of_means_agree_with_one_concept_at_a_time_also_without_each_image(skipping):
    rng = np.random.default_rng(0)
    shares = rng.random((6, 3, 4))
    shares[2, 1], shares[:, 2] = np.nan, np.nan
    counted = rng.random((6, 1, 4)) < 0.5 if skipping else None
    found = entropies_of_means(shares, counted)
    np.testing.assert_allclose(found, literal(shares, counted))
    assert np.isnan(found[2])
    kept = [np.arange(6) != i for i in range(6)]
    expected = [literal(shares[rows], None if counted is None else counted[rows]) for rows in kept]
    np.testing.assert_allclose(entropies_left_out(shares, counted), expected)


def test_a_concept_on_one_image_alone_has_no_entropy_without_it():
    shares = np.full((3, 1, 2), np.nan)
    shares[1] = 0.1, 0.2
    assert np.isnan(entropies_left_out(shares)[:, 0]).tolist() == [False, True, False]
