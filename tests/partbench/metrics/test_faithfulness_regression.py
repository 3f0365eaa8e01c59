from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, NotApplicable
from partbench.metrics.faithfulness_regression import FaithfulnessRegression

pairs = st.lists(st.tuples(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32), st.booleans()), min_size=1)


@given(pairs)
@settings(max_examples=25, deadline=None)
def test_value_is_the_mean_absolute_difference_over_all_positive_and_negative_images(
    score, make_outputs, aggregate, rows
):
    explained, predicted, positive = (np.array(column) for column in zip(*rows, strict=True))
    outputs = make_outputs(np.stack([explained, explained * 0], 1), positive=positive)
    found = score(FaithfulnessRegression(), Explanation(logits=torch.tensor(predicted, dtype=torch.float32)), outputs)
    expected = np.abs(explained - predicted)
    assert aggregate(found["faithfulness_regression"]) == pytest.approx(expected.mean())
    for name, chosen in (("positive", positive), ("negative", ~positive)):
        if chosen.any():
            assert aggregate(found[f"faithfulness_regression@{name}"]) == pytest.approx(expected[chosen].mean())


def test_value_is_zero_for_a_perfect_explainer(score, make_outputs):
    logits = torch.randn(6, 3)
    found = score(FaithfulnessRegression(), Explanation(logits=logits[:, 0]), make_outputs(logits))
    assert list(found["faithfulness_regression"].values) == [0] * 6


def test_explanations_own_logit_replaces_the_performers(score, make_outputs):
    explanation = Explanation(logits=torch.ones(4), explained=torch.full((4,), 3.0))
    found = score(FaithfulnessRegression(), explanation, make_outputs(torch.zeros(4, 2), target=None))
    assert list(found["faithfulness_regression"].values) == [2] * 4


def test_task_that_explains_all_logits_is_not_applicable(score, make_outputs):
    with pytest.raises(NotApplicable, match="all logits"):
        score(FaithfulnessRegression(), Explanation(logits=torch.ones(4)), make_outputs(torch.zeros(4, 2), target=None))


def test_prediction_that_is_nan_stays_nan(score, make_outputs):
    explanation = Explanation(logits=torch.tensor([1.0, float("nan")]))
    values = score(FaithfulnessRegression(), explanation, make_outputs(torch.zeros(2, 2)))["faithfulness_regression"]
    np.testing.assert_array_equal(values.values, [1, np.nan])


def test_negatives_get_a_mean_and_an_interval_but_no_rows_of_their_own(score, make_outputs):
    logits = torch.randn(40, 2)
    outputs = make_outputs(logits, positive=torch.arange(40) < 10)
    found = score(FaithfulnessRegression(), Explanation(logits=torch.zeros(40)), outputs)
    negative = found["faithfulness_regression@negative"]
    assert len(negative.units) == 0
    assert negative.low < negative.value < negative.high
    assert list(found["faithfulness_regression@positive"].units) == [f"image {i}" for i in range(10)]


def test_without_negatives_their_mean_is_nan(score, make_outputs):
    found = score(FaithfulnessRegression(), Explanation(logits=torch.zeros(3)), make_outputs(torch.zeros(3, 2)))
    assert np.isnan(found["faithfulness_regression@negative"].value)
