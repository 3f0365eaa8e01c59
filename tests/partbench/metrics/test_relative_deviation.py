from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, NotApplicable
from partbench.metrics.relative_deviation import RelativeDeviation


def measured(score, make_outputs, explained, predicted):
    logits = torch.stack([torch.as_tensor(explained), torch.zeros(len(explained))], 1)
    found = score(RelativeDeviation(), Explanation(logits=torch.as_tensor(predicted)), make_outputs(logits))
    return found["relative_deviation"].value


def test_value_is_the_error_over_the_range_of_the_explained_logit(score, make_outputs):
    value = measured(score, make_outputs, [0.0, 4.0, 10.0], [1.0, 4.0, 5.0])
    assert value == pytest.approx((0.1 + 0 + 0.5) / 3)


@given(st.floats(0.1, 100), st.floats(-50, 50), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_value_does_not_change_with_scale_and_offset_of_both_logits(score, make_outputs, scale, offset, seed):
    rng = np.random.default_rng(seed)
    explained, predicted = rng.normal(size=(2, 12)).astype(np.float32)
    before = measured(score, make_outputs, explained, predicted)
    moved = [np.float32(values * scale + offset) for values in (explained, predicted)]
    after = measured(score, make_outputs, *moved)
    np.testing.assert_allclose(after, before, atol=2e-3)


def test_constant_explainer_at_the_middle_of_the_range_is_at_most_half_off(score, make_outputs):
    explained = np.linspace(-3, 3, 9, dtype=np.float32)
    value = measured(score, make_outputs, explained, np.zeros(9, dtype=np.float32))
    assert value == pytest.approx(np.abs(explained).mean() / 6)
    assert value < 0.5


def test_constant_explained_logit_has_no_relative_deviation(score, make_outputs):
    assert np.isnan(measured(score, make_outputs, [2.0, 2.0], [1.0, 2.0]))


def test_range_is_that_of_the_explanations_own_logit_where_it_gives_one(score, make_outputs):
    explanation = Explanation(logits=torch.tensor([1.0, 2.0]), explained=torch.tensor([0.0, 2.0]))
    found = score(RelativeDeviation(), explanation, make_outputs(torch.tensor([[0.0, 0.0], [100.0, 0.0]])))
    assert found["relative_deviation"].value == pytest.approx(0.25)


def test_task_that_explains_all_logits_is_not_applicable(score, make_outputs):
    with pytest.raises(NotApplicable, match="all logits"):
        score(RelativeDeviation(), Explanation(logits=torch.ones(2)), make_outputs(torch.zeros(2, 2), target=None))


def test_network_that_explains_itself_does_not_apply(make_batch, make_outputs):
    own = torch.tensor([1.0, 2.0])
    with pytest.raises(NotApplicable, match="the network it explains"):
        RelativeDeviation().update(
            make_batch(2), Explanation(logits=own, explained=own), make_outputs(torch.zeros(2, 2))
        )


def test_there_is_no_evidence_where_one_image_alone_makes_the_range(score, make_outputs):
    explained = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])
    outputs = make_outputs(torch.stack([explained, torch.zeros(5)], 1))
    found = score(RelativeDeviation(), Explanation(logits=explained + 0.1), outputs)["relative_deviation"]
    assert found.value == pytest.approx(0.1)
    assert np.isnan(found.evidence).all()
