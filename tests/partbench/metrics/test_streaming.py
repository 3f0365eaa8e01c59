"""What holds for all these metrics: batches may be split anyhow, values keep to the bounds, evidence is per image."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, Metric, PerformerOutputs
from partbench.functional.statistics import pseudovalues
from partbench.metrics import (
    accuracy,
    average_precision,
    balanced_accuracy,
    classification_error,
    contribution_entropy,
    contribution_error,
    faithfulness_classification,
    faithfulness_regression,
    locality,
    masked_accuracy,
    orthogonality,
    relative_deviation,
)
from partbench.testing import check_metric
from partbench.testing.checks import aggregate

MODULES = (
    accuracy, average_precision, balanced_accuracy, classification_error, contribution_entropy, contribution_error,
    faithfulness_classification, faithfulness_regression, locality, masked_accuracy, orthogonality, relative_deviation,
)  # fmt: skip
METRICS: list[type[Metric]] = []
for module in MODULES:
    module.register_metrics(METRICS.append)
OF_ALL_IMAGES = [
    (average_precision.AveragePrecision, {}),
    (balanced_accuracy.BalancedAccuracy, {}),
    (contribution_error.ContributionError, {}),
    (locality.Locality, {}),
    (locality.Locality, {"absent": "skip"}),
    (orthogonality.OrthogonalityFrobenius, {}),
    (orthogonality.OrthogonalityFrobenius, {"pooled": True}),
    (orthogonality.OrthogonalityLogdet, {}),
    (relative_deviation.RelativeDeviation, {}),
]

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
    logits = predict(batch.pixels) + torch.tensor([0.0, 0.05, 0.0])  # positive in the mean: a scale for errors
    outputs = PerformerOutputs(logits, torch.arange(N) % 3 > 0, 1, logits[:, 1], predict)
    explanation = Explanation(
        torch.rand(N, 3, 4, 4) ** 2,
        logits=logits[:, 1] + 0.1 * torch.randn(N),
        contributions=torch.randn(N, 3),
        parts=torch.tensor([0, 1, 0]),
        part_drops=torch.rand(N, 2) + 0.1,
    )
    return batch, explanation, outputs


def fed(metric, everything, pieces):
    """The scores of the images at `pieces`, a batch each."""
    batch, explanation, outputs = everything
    for piece in pieces:
        rows = {name: getattr(explanation, name)[piece] for name in ("maps", "logits", "contributions", "part_drops")}
        metric.update(
            batch[piece],
            Explanation(**rows, parts=explanation.parts),
            PerformerOutputs(outputs.logits[piece], outputs.positive[piece], 1, outputs.explained[piece], predict),
        )
    return metric.compute()


def streamed(metric, everything, cuts):
    return fed(metric, everything, [slice(*edges) for edges in pairwise([0, *sorted(cuts), N])])


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
    for scores in found.values():
        assert len(scores.units) == len(scores.values)
        assert len(scores.images) == len(scores.evidence)
    assert cls.bounds[0] <= aggregate(found[cls.name]) <= cls.bounds[1]


@pytest.mark.parametrize("cls", METRICS, ids=lambda cls: cls.name)
@given(cuts=st.sets(st.integers(1, N - 1)))
@settings(max_examples=4, deadline=None)
def test_the_mean_of_what_images_say_is_the_aggregate(everything, cls, cuts):
    scores = streamed(cls(), everything, cuts)[cls.name]
    evidence = scores.evidence if len(scores.images) else scores.values
    assert np.isfinite(evidence).sum() >= N - 1
    assert np.nanmean(evidence) == pytest.approx(aggregate(scores), abs=1e-9)


@pytest.mark.parametrize(("cls", "options"), OF_ALL_IMAGES, ids=str)
def test_evidence_is_that_of_the_metric_run_anew_without_each_image(everything, cls, options):
    scores = streamed(cls(**options), everything, ())[cls.name]
    without = [[piece for piece in (slice(0, i), slice(i + 1, N)) if len(range(N)[piece])] for i in range(N)]
    left_out = [aggregate(fed(cls(**options), everything, pieces)[cls.name]) for pieces in without]
    np.testing.assert_allclose(scores.evidence, pseudovalues(scores.value, left_out), rtol=2e-4, atol=2e-5)
    assert np.std(scores.evidence) > 0


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
    assert sum(shares.size for shares in metric._shares["landmarks"].of_images) == N * 3 * 4
