"""Toy batches, performer outputs and streams shared by the tests of the metrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from partbench import Batch, PerformerOutputs

SIZE = 16


def _batch(n, size=SIZE, **known):
    ids = tuple(f"image {i}" for i in range(n))
    images = known.pop("images", torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0)))
    return Batch(ids, images, known.pop("labels", torch.zeros(n, dtype=torch.long)), **known)


def _outputs(logits, target=0, positive=None, predict=None):
    logits = torch.as_tensor(logits, dtype=torch.float32)
    positive = torch.ones(len(logits), dtype=torch.bool) if positive is None else torch.as_tensor(positive)
    return PerformerOutputs(logits, positive, target, None if target is None else logits[:, target], predict)


def _aggregate(scores):
    return scores.value if scores.value is not None else float(np.nanmean(scores.values))


@pytest.fixture(scope="session")
def make_batch():
    """`make_batch(n, size=16, **fields)`: a batch of random images."""
    return _batch


@pytest.fixture(scope="session")
def make_outputs():
    """`make_outputs(logits, target=0, positive=None, predict=None)`: what a performer says."""
    return _outputs


@pytest.fixture(scope="session")
def aggregate():
    """The aggregate of Scores as the contract defines it."""
    return _aggregate


@pytest.fixture(scope="session")
def score(make_batch, make_outputs):
    """`score(metric, explanation, outputs=None, batch=None)`: the Scores of one batch, per name."""

    def run(metric, explanation, outputs=None, batch=None):
        n = len(explanation.maps if explanation.has("maps") else explanation.logits)
        metric.update(batch or make_batch(n), explanation, outputs or make_outputs(torch.zeros(n, 2)))
        return metric.compute()

    return run
