from __future__ import annotations

import numpy as np
import pytest
import torch

from partbench import Explanation, NotApplicable
from partbench.metrics.faithfulness_classification import FaithfulnessClassification

NAME = "faithfulness_classification"


def test_perfect_explainer_keeps_every_class(score, make_outputs):
    logits = torch.randn(20, 4)
    found = score(FaithfulnessClassification(), Explanation(logits=logits[:, 1]), make_outputs(logits, target=1))
    assert list(found[NAME].values) == [1] * 20


def test_explainer_that_says_no_everywhere_fails_on_positives_only(score, make_outputs, aggregate):
    logits = torch.tensor([[5.0, 1.0]] * 2 + [[0.0, 1.0]] * 8)
    outputs = make_outputs(logits, positive=torch.arange(10) < 2)
    found = score(FaithfulnessClassification(), Explanation(logits=torch.full((10,), -9.0)), outputs)
    assert aggregate(found[NAME]) == pytest.approx(0.8)
    assert aggregate(found[f"{NAME}@positive"]) == 0


def test_prediction_that_is_nan_has_no_value(score, make_outputs):
    explanation = Explanation(logits=torch.tensor([float("nan"), 5.0]))
    values = score(FaithfulnessClassification(), explanation, make_outputs(torch.tensor([[1.0, 0.0]] * 2)))[NAME].values
    np.testing.assert_array_equal(values, [np.nan, 1])


@pytest.mark.parametrize(
    ("explained", "classes", "target", "reason"),
    [(None, 3, None, "all logits"), (torch.ones(2), 3, 0, "cannot be replaced"), (None, 1, 0, "one output")],
)
def test_case_without_a_logit_to_replace_is_not_applicable(score, make_outputs, explained, classes, target, reason):
    explanation = Explanation(logits=torch.ones(2), explained=explained)
    with pytest.raises(NotApplicable, match=reason):
        score(FaithfulnessClassification(), explanation, make_outputs(torch.zeros(2, classes), target=target))


def test_logits_of_the_performer_are_not_written_to(score, make_outputs):
    logits = torch.randn(5, 3)
    before = logits.clone()
    score(FaithfulnessClassification(), Explanation(logits=torch.ones(5)), make_outputs(logits))
    assert torch.equal(logits, before)
