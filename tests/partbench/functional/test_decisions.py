from __future__ import annotations

import pytest
import torch

from partbench import Explanation, NotApplicable, PerformerOutputs
from partbench.functional import decisions

POSITIVE = torch.tensor([True, False])


def of_one(rivals, target=0):
    rivals = torch.tensor(rivals)
    return PerformerOutputs(rivals, POSITIVE, target, rivals[:, target], None)


def test_one_logit_of_several_is_right_where_it_is_the_largest_on_images_of_the_category_only():
    found = decisions(Explanation(logits=torch.tensor([3.0, 3.0])), of_one([[1.0, 2.0], [1.0, 2.0]]))
    assert found.explainer_right.tolist() == [1, 0]
    assert found.performer_right.tolist() == [0, 1]
    assert found.side.tolist() == [1, 0]


@pytest.mark.parametrize(("threshold", "expected"), [(None, [1, 0]), (2.5, [1, 1]), (4.0, [0, 1])])
def test_the_explainers_threshold_takes_the_place_of_the_rule_and_the_performer_is_not_cut_by_it(threshold, expected):
    explanation = Explanation(logits=torch.tensor([3.0, 2.0]), threshold=threshold)
    found = decisions(explanation, of_one([[0.0, 1.0], [0.0, 1.0]]))
    assert found.explainer_right.tolist() == expected
    assert found.performer_right.tolist() == [0, 1]


def test_a_logit_that_stands_for_another_network_is_cut_at_0_and_so_is_what_it_explains():
    explanation = Explanation(logits=torch.tensor([0.1, -0.1]), explained=torch.tensor([-2.0, -2.0]))
    found = decisions(explanation, of_one([[0.0, 9.0], [9.0, 0.0]]))
    assert found.explainer_right.tolist() == [1, 1]
    assert found.performer_right.tolist() == [0, 1]
    assert found.explained.tolist() == [-2, -2]


def test_a_classifier_is_compared_with_the_tasks_performer():
    own = torch.tensor([0.1, -0.1])
    found = decisions(Explanation(logits=own, explained=own), of_one([[0.0, 9.0], [9.0, 0.0]]))
    assert found.explainer_right.tolist() == [1, 1]
    assert found.performer_right.tolist() == [0, 0]


def test_a_classifier_whose_logit_is_the_performers_follows_the_performers_rule():
    outputs = of_one([[2.0, 3.0], [-2.0, -3.0]])
    own = outputs.explained.clone()
    found = decisions(Explanation(logits=own, explained=own), outputs)
    assert found.explainer_right.tolist() == found.performer_right.tolist() == [0, 0]


def test_of_all_logits_the_largest_is_to_be_that_of_the_category():
    own = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    category = torch.tensor([0, 1, -1])
    outputs = PerformerOutputs(own, category >= 0, None, None, None, category=category, category_logits=own)
    found = decisions(Explanation(logits=own.flip(1)), outputs)
    assert found.explainer_right.tolist()[:2] == [0, 1]
    assert found.performer_right.tolist()[:2] == [1, 0]
    assert found.side.tolist() == [0, 1, -1]


def test_what_predicts_nothing_or_logits_of_another_shape_does_not_apply():
    outputs = of_one([[0.0, 1.0], [0.0, 1.0]])
    with pytest.raises(NotApplicable, match="no logits are predicted"):
        decisions(Explanation(torch.ones(2, 1, 2, 2)), outputs)
    with pytest.raises(NotApplicable, match=r"logits are \(2, 3\), expected \(2,\)"):
        decisions(Explanation(logits=torch.zeros(2, 3)), outputs)
