"""Locality and orthogonality in cell space against the same formulas on upsampled maps, in one run.

Run with `pytest benchmarks/speed/test_speed_metrics.py -s`.
"""

from __future__ import annotations

import time

import pytest
import torch

from partbench import Batch, Explanation, PerformerOutputs
from partbench.functional import voronoi_weights
from partbench.metrics.locality import Locality
from partbench.metrics.orthogonality import OrthogonalityFrobenius

IMAGES, CONCEPTS, CELLS, SIZE, LANDMARKS = 8, 64, 14, 224, 15


@pytest.fixture(scope="module")
def case():
    torch.manual_seed(0)
    boxes = torch.tensor([20.0, 30.0, 200.0, 190.0]).expand(IMAGES, 4)
    batch = Batch(
        tuple(map(str, range(IMAGES))), torch.zeros(IMAGES, 3, SIZE, SIZE), torch.zeros(IMAGES, dtype=torch.long),
        boxes=boxes, landmarks=30 + torch.rand(IMAGES, LANDMARKS, 2) * 160,
    )  # fmt: skip
    logits = torch.zeros(IMAGES, 2)
    outputs = PerformerOutputs(logits, torch.ones(IMAGES, dtype=torch.bool), 0, logits[:, 0], lambda images: logits)
    return batch, Explanation(torch.rand(IMAGES, CONCEPTS, CELLS, CELLS) ** 4), outputs


def literal_shares(batch, explanation):
    heatmaps = explanation.heatmaps(SIZE, SIZE)
    shares = heatmaps / heatmaps.sum((2, 3), keepdim=True)
    weights = [voronoi_weights(p, b, (SIZE, SIZE)) for p, b in zip(batch.landmarks, batch.boxes, strict=True)]
    return torch.einsum("nkyx,nryx->nkr", shares, torch.stack(weights))


def literal_covariance(batch, explanation):
    heatmaps = explanation.heatmaps(SIZE, SIZE).flatten(2)
    centred = heatmaps / heatmaps.mean(2, keepdim=True) - 1
    return (centred @ centred.mT / SIZE**2).sum(0)


def seconds(work, repeats=5):
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return sorted(times)[repeats // 2]


@pytest.mark.parametrize(
    ("metric", "literal"), [(Locality, literal_shares), (OrthogonalityFrobenius, literal_covariance)]
)
def test_cell_space_is_at_least_five_times_faster_than_upsampled_maps(case, metric, literal):
    batch, explanation, outputs = case
    fast = seconds(lambda: metric().update(batch, explanation, outputs))
    slow = seconds(lambda: literal(batch, explanation))
    print(f"\n{metric.name}: {slow / fast:.1f} times faster ({1000 * fast:.1f} ms against {1000 * slow:.1f} ms)")
    assert slow / fast >= 5
