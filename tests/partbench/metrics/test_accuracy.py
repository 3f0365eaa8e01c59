from __future__ import annotations

import numpy as np
import pytest
import torch

from partbench import Explanation, NotApplicable, PerformerOutputs
from partbench.functional.statistics import best_threshold
from partbench.metrics.accuracy import Accuracy
from partbench.testing import check_metric


def planted(score, make_outputs, predict):
    rng = np.random.default_rng(0)
    positive = np.arange(200) % 2 == 0
    explained = np.where(positive, 1.0, -1.0) + 0.8 * rng.normal(size=200)
    predicted = torch.tensor(predict(positive, rng), dtype=torch.float32)
    outputs = make_outputs(np.stack([explained, 0 * explained], 1), positive=positive)
    return score(Accuracy(), Explanation(logits=predicted), outputs)


def test_oracle_beats_the_performer_which_beats_noise(score, make_outputs, aggregate):
    oracle = planted(score, make_outputs, lambda positive, rng: np.where(positive, 1.0, -1.0))
    noise = planted(score, make_outputs, lambda positive, rng: rng.normal(size=200))
    assert aggregate(oracle["accuracy"]) == 1
    assert aggregate(oracle["accuracy@performer"]) == aggregate(noise["accuracy@performer"])
    assert abs(aggregate(noise["accuracy"]) - 0.5) < 0.1
    assert aggregate(noise["accuracy"]) < aggregate(noise["accuracy@performer"]) < 1
    assert Accuracy.higher_is_better


def test_difference_is_explainer_minus_performer_paired_per_image(score, make_outputs, aggregate):
    found = planted(score, make_outputs, lambda positive, rng: rng.normal(size=200))
    paired = np.subtract(found["accuracy"].values, found["accuracy@performer"].values)
    np.testing.assert_array_equal(found["accuracy@difference"].values, paired)
    difference = aggregate(found["accuracy"]) - aggregate(found["accuracy@performer"])
    assert aggregate(found["accuracy@difference"]) == pytest.approx(difference)


def test_performer_is_the_logit_that_the_explanation_names(score, make_outputs, aggregate):
    explanation = Explanation(logits=torch.zeros(4), explained=torch.tensor([1.0, 1.0, -1.0, -1.0]))
    outputs = make_outputs(torch.zeros(4, 2), positive=[True, True, False, False])
    found = score(Accuracy(), explanation, outputs)
    assert aggregate(found["accuracy@performer"]) == 1
    assert aggregate(found["accuracy"]) == 0.5


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_images_of_one_kind_only_cannot_be_told_apart(score, make_outputs, positive):
    with pytest.raises(NotApplicable, match="of 2 images show the category"):
        score(Accuracy(), Explanation(logits=torch.ones(2)), make_outputs(torch.zeros(2, 2), positive=positive))


def with_threshold(score, make_outputs, threshold, shift=0.0):
    positive = np.arange(400) % 2 == 0
    predicted = np.random.default_rng(0).normal(np.where(positive, 0.5, -0.5)) + shift
    explanation = Explanation(logits=torch.tensor(predicted, dtype=torch.float32), threshold=threshold)
    found = score(Accuracy(), explanation, make_outputs(torch.zeros(400, 2), positive=positive))
    return found, np.mean((np.float32(predicted) > (threshold or 0.0)) == positive)


def test_the_explainers_threshold_is_the_rule_and_is_never_better_than_the_fitted_one(score, make_outputs, aggregate):
    for threshold in np.linspace(-2, 2, 17):
        found, expected = with_threshold(score, make_outputs, threshold)
        assert aggregate(found["accuracy"]) == pytest.approx(expected)
        assert aggregate(found["accuracy"]) <= aggregate(found["accuracy@fitted_threshold"])


def test_the_best_threshold_of_like_data_costs_little(score, make_outputs, aggregate):
    positive = np.arange(2000) % 2 == 0
    train = np.random.default_rng(1).normal(np.where(positive, 0.5, -0.5)) + 3
    found, _ = with_threshold(score, make_outputs, best_threshold(train, positive), shift=3)
    assert aggregate(found["accuracy@fitted_threshold"]) - 0.05 < aggregate(found["accuracy"])
    assert aggregate(found["accuracy"]) > 0.65


def test_without_a_threshold_log_odds_are_cut_at_0_and_nothing_is_fitted(score, make_outputs, aggregate):
    found, expected = with_threshold(score, make_outputs, None, shift=3)
    assert aggregate(found["accuracy"]) == pytest.approx(expected) == pytest.approx(0.5, abs=0.02)
    assert aggregate(found["accuracy@fitted_threshold"]) > 0.65


def test_without_a_threshold_one_logit_of_many_is_compared_with_the_others(score, make_outputs, aggregate):
    outputs = make_outputs([[9.0, 5.0], [9.0, 5.0]], positive=[True, False])
    found = score(Accuracy(), Explanation(logits=torch.tensor([6.0, 4.0])), outputs)
    assert list(found["accuracy"].values) == [1, 1]
    assert list(found["accuracy@performer"].values) == [1, 0]


def test_public_contract_check_passes_with_a_threshold(make_batch, make_outputs):
    generator = torch.Generator().manual_seed(0)
    explanation = Explanation(logits=torch.randn(9, generator=generator), threshold=-0.3)
    outputs = make_outputs(torch.randn(9, 2, generator=generator), positive=torch.arange(9) % 2 == 0)
    check_metric(Accuracy(), make_batch(9), explanation, outputs)


def test_all_logits_are_right_where_the_category_has_the_largest(make_batch):
    batch = make_batch(4)
    own = torch.tensor([[2.0, 1, 0], [0, 1, 2], [0, 3, 1], [9, 0, 0]])
    predicted = torch.tensor([[0.0, 1, 0], [0, 1, 2], [0, 3, 1], [9, 0, 0]])
    category = torch.tensor([0, 2, 0, -1])  # the last image is of no explained category
    outputs = PerformerOutputs(own, category >= 0, None, None, None, category=category, category_logits=own)
    metric = Accuracy()
    metric.update(batch, Explanation(logits=predicted), outputs)
    scores = metric.compute()
    assert list(scores["accuracy"].values) == [0, 1, 0]
    assert list(scores["accuracy@performer"].values) == [1, 1, 0]


def test_classifier_is_compared_with_the_task_performer(make_batch, make_outputs):
    own = torch.tensor([1.0, 0.5, -1.0, -2.0])
    metric = Accuracy()
    explained = torch.tensor([[-1.0, 0], [1, 0], [1, 0], [-1, 0]])
    outputs = make_outputs(explained, positive=[True, True, False, False])
    metric.update(make_batch(4), Explanation(logits=own, explained=own), outputs)
    scores = metric.compute()
    assert np.mean(scores["accuracy"].values) == 1
    assert np.mean(scores["accuracy@performer"].values) == 0.5


def test_logits_of_another_shape_do_not_apply(make_batch, make_outputs):
    with pytest.raises(NotApplicable, match="expected"):
        Accuracy().update(make_batch(2), Explanation(logits=torch.zeros(2, 3)), make_outputs(torch.zeros(2, 2)))
