"""What holds for all eight metrics: batches may be split anyhow, values keep to the bounds, a registered name each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, Metric, PerformerOutputs
from partbench.metrics import (
    accuracy,
    faithfulness_classification,
    faithfulness_regression,
    locality,
    masked_accuracy,
    orthogonality,
    relative_deviation,
)
from partbench.testing import check_metric

MODULES = (
    accuracy, faithfulness_classification, faithfulness_regression, locality, masked_accuracy, orthogonality,
    relative_deviation,
)  # fmt: skip
METRICS: list[type[Metric]] = []
for module in MODULES:
    module.register_metrics(METRICS.append)

N, SIZE = 9, 16


def predict(images):
    means = images.mean((2, 3))
    return means - means.mean(1, keepdim=True)


@pytest.fixture(scope="module")
def everything(make_batch):
    torch.manual_seed(5)
    low = torch.rand(N, 2) * 4
    boxes = torch.cat([low, low + 8], 1)
    batch = make_batch(N, boxes=boxes, landmarks=torch.rand(N, 3, 2) * 15)
    logits = predict(batch.pixels)
    outputs = PerformerOutputs(logits, torch.arange(N) % 3 > 0, 1, logits[:, 1], predict)
    explanation = Explanation(torch.rand(N, 3, 4, 4) ** 2, logits=logits[:, 1] + 0.1 * torch.randn(N))
    return batch, explanation, outputs


def streamed(metric, everything, cuts):
    batch, explanation, outputs = everything
    edges = [0, *sorted(cuts), N]
    for start, end in pairwise(edges):
        part = slice(start, end)
        metric.update(
            batch[part],
            Explanation(explanation.maps[part], logits=explanation.logits[part]),
            PerformerOutputs(outputs.logits[part], outputs.positive[part], 1, outputs.explained[part], predict),
        )
    return metric.compute()


@pytest.mark.parametrize("cls", METRICS, ids=lambda cls: cls.name)
@given(cuts=st.sets(st.integers(1, N - 1)))
@settings(max_examples=8, deadline=None)
def test_any_split_into_batches_gives_the_same_scores(everything, cls, cuts):
    whole, parts = streamed(cls(), everything, ()), streamed(cls(), everything, cuts)
    assert whole.keys() == parts.keys()
    for name, scores in whole.items():
        assert list(scores.units) == list(parts[name].units)
        np.testing.assert_allclose(parts[name].values, scores.values, rtol=1e-5, atol=1e-7)
        for field in ("value", "low", "high"):
            found, expected = getattr(parts[name], field), getattr(scores, field)
            assert found == pytest.approx(expected, rel=1e-5, nan_ok=True) if expected is not None else found is None


@pytest.mark.parametrize("cls", METRICS, ids=lambda cls: cls.name)
def test_values_lie_within_the_bounds_and_the_main_name_comes_first(everything, cls):
    found = streamed(cls(), everything, ())
    assert next(iter(found)) == cls.name
    for name, scores in found.items():
        assert len(scores.units) == len(scores.values)
        low, high = (-1, 1) if name == "accuracy@difference" else cls.bounds
        assert all(low <= value <= high for value in [*scores.values, scores.value] if value is not None)


def test_the_eight_names_are_those_of_the_published_tables():
    assert {cls.name for cls in METRICS} == {
        "accuracy", "faithfulness_classification", "faithfulness_regression", "locality", "masked_accuracy",
        "orthogonality_frobenius", "orthogonality_logdet", "relative_deviation",
    }  # fmt: skip


@pytest.mark.parametrize("cls", METRICS, ids=lambda cls: cls.name)
def test_a_metric_meets_the_contract_type_and_one_instance_knows_nothing_of_another(everything, cls):
    first = cls()
    assert isinstance(first, Metric)
    streamed(first, everything, ())
    for name, scores in streamed(cls(), everything, ()).items():
        np.testing.assert_array_equal(scores.values, first.compute()[name].values)


@pytest.mark.parametrize("cls", METRICS, ids=lambda cls: cls.name)
def test_public_contract_check_passes(everything, cls):
    check_metric(cls(), *everything)


def test_state_does_not_hold_pixels(everything, make_batch):
    """A few numbers per image and concept, whatever the size of the image."""
    batch, explanation, outputs = everything
    metric = locality.Locality()
    large = make_batch(N, size=128, boxes=batch.boxes, landmarks=batch.landmarks)
    metric.update(large, explanation, outputs)
    assert sum(shares.size for shares in metric._shares) == N * 3 * 4
