from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from partbench import Explanation, NotApplicable
from partbench.metrics.average_precision import AveragePrecision
from partbench.testing import check_metric

POSITIVE = np.arange(60) % 3 == 0


def planted(score, make_outputs, logits, explained=None):
    own = np.where(POSITIVE, 1.0, -1.0) if explained is None else explained
    outputs = make_outputs(np.stack([np.zeros(60), own], 1), target=1, positive=POSITIVE)
    return score(AveragePrecision(), Explanation(logits=torch.tensor(logits)), outputs)


def test_it_is_the_average_precision_of_scikit_learn(score, make_outputs):
    logits = np.random.default_rng(0).normal(size=60).astype(np.float32) + POSITIVE
    found = planted(score, make_outputs, logits)
    assert found["average_precision"].value == pytest.approx(average_precision_score(POSITIVE, logits))
    assert found["average_precision@performer"].value == pytest.approx(1)


def test_oracle_beats_noise_near_the_share_of_positives_which_beats_the_inverse(score, make_outputs):
    noise = np.mean([
        planted(score, make_outputs, np.random.default_rng(seed).normal(size=60))["average_precision"].value
        for seed in range(20)
    ])  # fmt: skip
    oracle, inverse = (
        planted(score, make_outputs, sign * np.where(POSITIVE, 1.0, -1.0))["average_precision"].value
        for sign in (1, -1)
    )
    assert oracle == 1
    assert noise == pytest.approx(1 / 3, abs=0.08)
    assert inverse == pytest.approx(1 / 3)  # all images are cut together at the second logit
    assert AveragePrecision.higher_is_better


def test_neither_a_threshold_nor_a_rising_function_of_the_logit_matters(score, make_outputs):
    logits = np.random.default_rng(0).normal(size=60) + POSITIVE
    values = [planted(score, make_outputs, of)["average_precision"].value for of in (logits, np.exp(logits) + 100)]
    assert values[0] == pytest.approx(values[1])


def test_of_all_logits_it_is_the_mean_over_categories_and_images_of_none_do_not_count(score, make_outputs):
    category = torch.tensor([0, 0, 1, 1, 2, 2, -1])
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    outputs = make_outputs(logits, target=None, positive=category >= 0)
    outputs = replace(outputs, category=category, category_logits=logits)
    found = score(AveragePrecision(), Explanation(logits=logits), outputs)["average_precision"]
    expected = [average_precision_score(category[:6] == c, logits[:6, c]) for c in range(3)]
    assert found.value == pytest.approx(np.mean(expected))
    assert list(found.images) == [f"image {i}" for i in range(6)]
    assert np.mean(found.evidence) == pytest.approx(found.value)


def test_a_logit_that_is_not_finite_does_not_count(score, make_outputs):
    explained = np.where(POSITIVE, 1.0, -1.0)
    explained[1] = np.nan
    found = planted(score, make_outputs, np.ones(60), explained)["average_precision@performer"]
    assert found.value == 1
    assert np.flatnonzero(np.isnan(found.evidence)).tolist() == [1]


def test_one_side_alone_is_refused(score, make_outputs):
    outputs = make_outputs(np.zeros((4, 2)), target=1, positive=[True] * 4)
    with pytest.raises(NotApplicable, match="one side"):
        score(AveragePrecision(), Explanation(logits=torch.zeros(4)), outputs)


def test_it_keeps_the_contract(make_batch, make_outputs):
    generator = torch.Generator().manual_seed(0)
    outputs = make_outputs(torch.randn(20, 2, generator=generator), target=1, positive=POSITIVE[:20])
    check_metric(AveragePrecision(), make_batch(20), Explanation(logits=torch.randn(20, generator=generator)), outputs)


def test_a_single_image_of_the_category_leaves_no_evidence(score, make_outputs):
    positive = np.arange(60) == 7
    logits = np.random.default_rng(0).normal(size=60)
    outputs = make_outputs(np.stack([np.zeros(60), logits], 1), target=1, positive=positive)
    found = score(AveragePrecision(), Explanation(logits=torch.tensor(logits)), outputs)["average_precision"]
    assert found.value == pytest.approx(average_precision_score(positive, logits))
    assert np.isnan(found.evidence).all()
