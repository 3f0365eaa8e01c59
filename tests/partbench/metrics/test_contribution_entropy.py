from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation
from partbench.metrics.contribution_entropy import ContributionEntropy
from partbench.testing import check_metric

sizes = st.integers(-50, 50).map(lambda i: i / 10)
rows = st.integers(1, 6).flatmap(lambda k: st.lists(st.lists(sizes, min_size=k, max_size=k), min_size=1, max_size=5))


@pytest.fixture(scope="session")
def scored(make_batch, make_outputs):
    def run(contributions):
        contributions = torch.as_tensor(contributions, dtype=torch.float32)
        metric = ContributionEntropy()
        n = len(contributions)
        metric.update(make_batch(n), Explanation(contributions=contributions), make_outputs(torch.zeros(n, 2)))
        return metric.compute()

    return run


def literal_entropy(row):
    total = sum(abs(c) for c in row)
    if not total:
        return math.nan
    shares = [abs(c) / total for c in row]
    return -sum(share * math.log(share) for share in shares if share > 0)


@given(rows=rows)
@settings(max_examples=60, deadline=None)
def test_entropy_agrees_with_its_formula_written_out(scored, rows):
    found = scored(rows)
    expected = [literal_entropy(row) for row in rows]
    np.testing.assert_allclose(found["contribution_entropy@nats"].values, expected, atol=1e-6)
    if len(rows[0]) > 1:
        shares = [value / math.log(len(rows[0])) for value in expected]
        np.testing.assert_allclose(found["contribution_entropy"].values, shares, atol=1e-6)


@given(rows=rows, scale=st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_entropy_knows_neither_sign_nor_scale_and_lies_between_0_and_1(scored, rows, scale):
    values = np.array(scored(rows)["contribution_entropy"].values)
    same = scored(-scale * np.array(rows))["contribution_entropy"].values
    np.testing.assert_allclose(values, same, atol=1e-5)
    known = values[~np.isnan(values)]
    assert ((known >= 0) & (known <= 1 + 1e-6)).all()


def test_equal_contributions_score_above_uneven_ones_and_these_above_a_single_one(scored, aggregate):
    even, uneven, single = (
        aggregate(scored([row])["contribution_entropy"]) for row in ([1.0, -1, 1, 1], [4.0, -2, 1, 1], [0.0, -3, 0, 0])
    )
    assert even == pytest.approx(1)
    assert even > uneven > single == 0
    assert ContributionEntropy.higher_is_better


def test_image_without_any_contribution_has_no_value_and_is_left_out_of_the_mean(scored, aggregate):
    found = scored([[0.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(found["contribution_entropy"].values, [np.nan, 1], rtol=1e-6)
    np.testing.assert_allclose(found["contribution_entropy@nats"].values, [np.nan, math.log(2)], rtol=1e-6)
    assert aggregate(found["contribution_entropy"]) == pytest.approx(1)


def test_a_single_concept_has_entropy_0_of_a_possible_0(scored):
    found = scored([[2.0], [-1.0]])
    assert list(found["contribution_entropy@nats"].values) == [0, 0]
    assert np.isnan(found["contribution_entropy"].values).all()
    assert found["contribution_entropy"].note == "one concept only: there is nothing to spread the logit over"
    assert not scored([[2.0, 1.0]])["contribution_entropy"].note


def test_ten_thousand_equal_contributions_score_no_better_than_two(scored, aggregate):
    many, two = (aggregate(scored(np.ones((3, k)))["contribution_entropy"]) for k in (10_000, 2))
    assert many == pytest.approx(two) == pytest.approx(1)


def test_concepts_that_are_offered_count_also_where_they_contribute_nothing(scored, aggregate):
    padded = np.pad(np.ones((3, 5)), ((0, 0), (0, 95)))
    assert aggregate(scored(padded)["contribution_entropy"]) == pytest.approx(math.log(5) / math.log(100))


def test_public_contract_check_passes(make_batch, make_outputs):
    contributions = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    contributions[2] = 0
    explanation = Explanation(contributions=contributions)
    check_metric(ContributionEntropy(), make_batch(7), explanation, make_outputs(torch.zeros(7, 2)))
