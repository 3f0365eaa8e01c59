from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from partbench import Explanation, NotApplicable
from partbench.functional.statistics import bootstrap
from partbench.metrics.balanced_accuracy import BalancedAccuracy
from partbench.testing import check_metric

POSITIVE = np.arange(100) < 10  # one in ten
LOG_ODDS = np.stack([np.zeros(100), np.where(POSITIVE, 1.0, -1.0)], 1)


def found(score, make_outputs, logits, rivals=LOG_ODDS):
    outputs = make_outputs(rivals, target=1, positive=POSITIVE)
    return score(BalancedAccuracy(), Explanation(logits=torch.tensor(logits)), outputs)


def test_it_is_the_mean_of_the_shares_of_both_sides_right_at_0(score, make_outputs, aggregate):
    logits = np.where(np.arange(100) < 5, 0.1, -0.1)  # half of the category, all of the others
    values = found(score, make_outputs, logits)
    assert aggregate(values["balanced_accuracy"]) == pytest.approx(0.75)
    assert aggregate(values["balanced_accuracy@performer"]) == pytest.approx(1)


@pytest.mark.parametrize("constant", [-1.0, 1.0])
def test_a_constant_logit_scores_one_half_whatever_the_share_of_the_larger_side(
    score, make_outputs, aggregate, constant
):
    assert aggregate(found(score, make_outputs, np.full(100, constant))["balanced_accuracy"]) == pytest.approx(0.5)


def test_no_threshold_is_fitted(score, make_outputs, aggregate):
    logits = np.where(POSITIVE, 5.0, 3.0)  # told apart by a cut at 4
    assert aggregate(found(score, make_outputs, logits)["balanced_accuracy"]) == pytest.approx(0.5)


def test_a_prediction_of_one_logit_of_many_is_compared_with_the_others(score, make_outputs, aggregate):
    rivals = np.stack([np.full(100, 3.0), np.where(POSITIVE, 4.0, 2.0)], 1)
    values = found(score, make_outputs, np.where(POSITIVE, 3.5, 2.5), rivals)
    assert aggregate(values["balanced_accuracy"]) == aggregate(values["balanced_accuracy@performer"]) == 1


def test_a_classifier_of_its_own_is_cut_at_0_and_stands_beside_the_tasks_performer(score, make_outputs, aggregate):
    own = torch.tensor(np.where(POSITIVE, 2.5, -2.5))
    rivals = np.stack([np.full(100, 3.0), np.full(100, 2.0)], 1)
    classifier = Explanation(logits=own, explained=own)
    values = score(BalancedAccuracy(), classifier, make_outputs(rivals, target=1, positive=POSITIVE))
    assert aggregate(values["balanced_accuracy"]) == 1
    assert aggregate(values["balanced_accuracy@performer"]) == pytest.approx(0.5)


def test_of_all_logits_it_is_the_mean_recall_and_images_of_no_category_do_not_count(score, make_outputs, aggregate):
    category = torch.tensor([0, 0, 0, 0, 1, -1])
    logits = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    outputs = replace(make_outputs(logits, target=None, positive=category >= 0), category=category)
    outputs = replace(outputs, category_logits=logits)
    scores = score(BalancedAccuracy(), Explanation(logits=logits), outputs)["balanced_accuracy"]
    assert aggregate(scores) == pytest.approx((3 / 4 + 1) / 2)
    assert len(scores.images) == 5


def test_an_unknown_logit_is_left_out_of_its_side(score, make_outputs, aggregate):
    logits = np.where(POSITIVE, 1.0, -1.0)
    rivals = LOG_ODDS.copy()
    rivals[0, 1] = np.nan
    values = found(score, make_outputs, logits, rivals)
    assert np.isnan(values["balanced_accuracy@performer"].evidence[0])
    assert aggregate(values["balanced_accuracy@performer"]) == pytest.approx(1)


def test_the_interval_is_that_of_the_shares_of_both_sides_whatever_their_numbers_of_images(score, make_outputs):
    """The sides are as large as they are: with all images right, nothing could have come out otherwise."""
    everything = found(score, make_outputs, np.where(POSITIVE, 1.0, -1.0))["balanced_accuracy"]
    assert bootstrap(everything.evidence) == pytest.approx((1, 1))
    half = found(score, make_outputs, np.where(np.arange(100) < 5, 0.1, -0.1))["balanced_accuracy"]
    error = np.std(half.evidence, ddof=1) / np.sqrt(100)
    assert error == pytest.approx(np.sqrt(0.25 / 9) / 2, rel=0.06)  # of the share of ten images, half of the value


def test_one_side_alone_is_refused(score, make_outputs):
    outputs = make_outputs(np.zeros((4, 2)), target=1, positive=[True] * 4)
    with pytest.raises(NotApplicable, match="one side"):
        score(BalancedAccuracy(), Explanation(logits=torch.zeros(4)), outputs)


def test_it_keeps_the_contract(make_batch, make_outputs):
    outputs = make_outputs(LOG_ODDS[:20], target=1, positive=POSITIVE[:20])
    explanation = Explanation(logits=torch.randn(20, generator=torch.Generator().manual_seed(0)))
    check_metric(BalancedAccuracy(), make_batch(20), explanation, outputs)


def test_a_side_of_one_image_leaves_no_evidence(score, make_outputs):
    """Whether that image is right moves the value by a half: an interval from the others would be far too narrow."""
    positive = np.arange(40) < 1
    outputs = make_outputs(np.stack([np.zeros(40), np.where(positive, 1.0, -1.0)], 1), target=1, positive=positive)
    found = score(BalancedAccuracy(), Explanation(logits=torch.tensor(np.where(positive, 1.0, -1.0))), outputs)
    assert found["balanced_accuracy"].value == 1
    assert np.isnan(found["balanced_accuracy"].evidence).all()
