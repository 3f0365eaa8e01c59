from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, NotApplicable, PerformerOutputs
from partbench.metrics.classification_error import ClassificationError
from partbench.testing import check_metric

NAMES = ("classification_error", "classification_error@performer", "classification_error@difference")


def all_outputs(category, category_logits):
    category = torch.as_tensor(category)
    logits = torch.as_tensor(category_logits, dtype=torch.float32)
    extra = torch.full((len(logits), 1), 99.0)  # an output that stands for no category
    return PerformerOutputs(torch.cat([extra, logits], 1), category >= 0, None, None, None, category, logits)


def values(found):
    return [list(found[name].values) for name in NAMES]


@given(seed=st.integers(0, 999), target=st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_one_logit_takes_the_place_of_the_explained_one_and_the_largest_decides(score, make_outputs, seed, target):
    rng = np.random.default_rng(seed)
    logits, predicted, positive = rng.normal(size=(12, 3)), rng.normal(size=12), rng.random(12) < 0.5
    outputs = make_outputs(logits, target, positive)
    found = score(ClassificationError(), Explanation(logits=torch.tensor(predicted)), outputs)
    explainer, performer = [], []
    for row, own, shown in zip(logits, predicted, positive, strict=True):
        others = max(value for column, value in enumerate(row) if column != target)
        explainer.append(float((own > others) != shown))
        performer.append(float((row[target] > others) != shown))
    difference = [a - b for a, b in zip(explainer, performer, strict=True)]
    assert values(found) == [explainer, performer, difference]


def test_an_explainer_that_repeats_the_performers_logit_errs_as_it_does(score, make_outputs, aggregate):
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    outputs = make_outputs(logits, 1, torch.arange(50) % 3 == 0)
    found = score(ClassificationError(), Explanation(logits=logits[:, 1].clone()), outputs)
    assert aggregate(found[NAMES[0]]) == aggregate(found[NAMES[1]]) > 0
    assert not np.any(found[NAMES[2]].values)
    torch.testing.assert_close(outputs.logits, logits)  # and the outputs are not written to


def test_oracle_is_never_wrong_and_its_opposite_always_is(score, make_outputs, aggregate):
    positive = torch.arange(20) % 2 == 0
    outputs = make_outputs(torch.randn(20, 3, generator=torch.Generator().manual_seed(1)), 0, positive)
    oracle = torch.where(positive, 100.0, -100.0)
    best, chance, worst = (
        aggregate(score(ClassificationError(), Explanation(logits=logits), outputs)[NAMES[0]])
        for logits in (oracle, torch.randn(20, generator=torch.Generator().manual_seed(2)), -oracle)
    )
    assert (best, worst) == (0, 1)
    assert best < chance < worst
    assert not ClassificationError.higher_is_better


def test_a_performer_with_one_output_is_cut_at_zero_not_at_its_best_threshold(score, make_outputs):
    outputs = make_outputs([[5.0], [0.5], [-1.0]], 0, [True, False, False])
    found = score(ClassificationError(), Explanation(logits=torch.tensor([-0.5, -1.0, 2.0])), outputs)
    assert values(found) == [[1, 0, 1], [0, 1, 0], [1, -1, 1]]


def test_a_logit_explained_instead_of_the_performers_is_cut_at_zero_like_its_prediction(score, make_outputs):
    explanation = Explanation(logits=torch.tensor([0.2, -0.2]), explained=torch.tensor([-1.0, -1.0]))
    found = score(ClassificationError(), explanation, make_outputs([[0.0, 9], [0, 9]], 0, [True, False]))
    assert values(found) == [[0, 0], [1, 0], [-1, 0]]


def test_an_explainer_that_is_a_classifier_is_compared_with_the_performer_by_its_own_rule(score, make_outputs):
    logit = torch.tensor([1.0, 1.0, -1.0])
    outputs = make_outputs([[2.0, 3.0], [2.0, 1.0], [2.0, 1.0]], 0, [True, True, False])
    found = score(ClassificationError(), Explanation(logits=logit, explained=logit), outputs)
    assert values(found) == [[0, 0, 0], [1, 0, 1], [-1, 0, -1]]


def test_a_classifier_whose_logit_is_the_performers_is_called_by_the_performers_rule(score, make_outputs):
    logits = torch.tensor([[3.0, 2.0], [1.0, 2.0], [-2.0, -1.0]])
    outputs = make_outputs(logits, 1, torch.tensor([False, True, True]))
    own = logits[:, 1].clone()
    found = score(ClassificationError(), Explanation(logits=own, explained=own), outputs)
    assert values(found) == [[0, 0, 0]] * 3


def test_of_all_logits_the_largest_is_to_be_that_of_the_category_and_other_images_do_not_count(score):
    outputs = all_outputs([0, 1, 2, -1], [[1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    predicted = torch.tensor([[0.0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])
    found = score(ClassificationError(), Explanation(logits=predicted), outputs)
    assert values(found) == [[1, 0, 0], [0, 1, 0], [1, -1, 0]]
    assert list(found[NAMES[0]].units) == ["image 0", "image 1", "image 2"]


def test_all_logits_of_an_explanation_are_compared_with_those_it_explains(score):
    outputs = all_outputs([0, 1], [[1, 0], [1, 0]])
    predicted, explained = torch.tensor([[1.0, 0], [1, 0]]), torch.tensor([[0.0, 1], [0, 1]])
    found = score(ClassificationError(), Explanation(logits=predicted, explained=explained), outputs)
    assert values(found) == [[0, 1], [1, 0], [-1, 1]]
    found = score(ClassificationError(), Explanation(logits=explained, explained=explained), outputs)
    assert values(found) == [[1, 0], [0, 1], [1, -1]]


def test_a_logit_that_is_not_finite_has_no_value(score, make_outputs):
    outputs = make_outputs([[0.0, 1.0], [0.0, 1.0]], 0, [True, True])
    found = score(ClassificationError(), Explanation(logits=torch.tensor([torch.nan, 2.0])), outputs)
    np.testing.assert_array_equal(found[NAMES[0]].values, [np.nan, 0])
    np.testing.assert_array_equal(found[NAMES[1]].values, [1, 1])


def test_logits_that_do_not_fit_the_task_cannot_be_scored(score, make_outputs):
    with pytest.raises(NotApplicable, match=r"logits are \(2,\), expected \(2, 3\)"):
        score(ClassificationError(), Explanation(logits=torch.ones(2)), all_outputs([0, 1], np.zeros((2, 3))))
    with pytest.raises(NotApplicable, match=r"logits are \(2, 3\), expected \(2,\)"):
        score(ClassificationError(), Explanation(logits=torch.ones(2, 3)), make_outputs(np.zeros((2, 3))))


@pytest.mark.parametrize("category", [None, [0, 1, -1, 2, 0, 1]])
def test_public_contract_check_passes(make_batch, make_outputs, category):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator)
    outputs = make_outputs(logits, 1, torch.arange(6) > 2) if category is None else all_outputs(category, logits)
    predicted = torch.randn(6, *([] if category is None else [3]), generator=generator)
    check_metric(ClassificationError(), make_batch(6), Explanation(logits=predicted), outputs)
