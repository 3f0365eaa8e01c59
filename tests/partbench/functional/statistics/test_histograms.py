from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partbench.functional.statistics import entropies_of_means, entropy, entropy_fraction


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_entropy_agrees_with_its_formula_written_out(bins):
    total = sum(bins)
    expected = -sum(x / total * math.log(x / total) for x in bins if x) if total else math.nan
    assert entropy(np.array(bins, dtype=float)) == pytest.approx(expected, nan_ok=True)


def test_a_fraction_is_1_for_equal_bins_whatever_their_number_and_missing_for_a_single_bin():
    assert [float(entropy_fraction(np.ones(k))) for k in (2, 3, 9)] == pytest.approx([1, 1, 1])
    assert entropy_fraction(np.array([3.0, 0.0])) == 0
    assert np.isnan(entropy_fraction(np.ones((4, 1)))).all()


def literal(shares, weights, counted=None):
    """Entropy of the weighted mean, one concept and draw at a time."""
    n, k, r = shares.shape
    found = np.empty((len(weights), k))
    for d, draw in enumerate(weights):
        for j in range(k):
            mean = []
            for region in range(r):
                rows = [i for i in range(n) if not np.isnan(shares[i, j]).any()]
                if counted is not None:
                    rows = [i for i in rows if counted[i, 0, region]]
                total = sum(draw[i] * shares[i, j, region] for i in rows)
                over = sum(draw[i] for i in rows) if counted is not None else 1
                mean.append(total / over if over else 0.0)
            found[d, j] = entropy(np.array(mean))
    return found


@pytest.mark.parametrize("skipping", [False, True])
def test_entropies_of_means_agree_with_one_concept_and_draw_at_a_time(skipping):
    rng = np.random.default_rng(0)
    shares, weights = rng.random((6, 3, 4)), rng.random((5, 6))
    shares[2, 1], shares[:, 2] = np.nan, np.nan
    counted = rng.random((6, 1, 4)) < 0.5 if skipping else None
    found = entropies_of_means(shares, weights, counted)
    np.testing.assert_allclose(found, literal(shares, weights, counted))
    assert np.isnan(found[:, 2]).all()
