"""Contrastive Excitation BP of five targets of vgg16 against plain training passes of the same network, in one run.

Run by `make speed`. Rounds are interleaved and medians compared, so that a busy machine slows all contestants alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytest
import torch
from torch import nn

from partbench.attribution import ExcitationBP
from partbench.nn.torchvision_ops import torchvision

BATCH, SIDE, POOL3, UNITS, ROUNDS = 8, 224, 17, (1, 5, 9, 200, 900), 5


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """Median seconds of each contestant."""
    torch.manual_seed(0)
    network = torchvision().models.vgg16(weights=None).eval()
    images = torch.randn(BATCH, 3, SIDE, SIDE)
    below = network.features[:POOL3]
    above = ExcitationBP([network.features[POOL3:], network.avgpool, nn.Flatten(), network.classifier])

    def training_pass() -> None:
        network.zero_grad(set_to_none=True)
        network(images).sum().backward()

    @torch.no_grad()
    def together() -> None:
        above.contrastive_maps(below(images), UNITS)

    @torch.no_grad()
    def one_at_a_time() -> None:
        for unit in UNITS:
            above.contrastive_maps(below(images), [unit])

    return _medians([training_pass, together, one_at_a_time])


def _medians(contestants: list[Callable[[], None]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {contestant.__name__: [] for contestant in contestants}
    for _ in range(ROUNDS + 1):
        for contestant in contestants:
            start = time.perf_counter()
            contestant()
            taken[contestant.__name__].append(time.perf_counter() - start)
    return {name: median(times[1:]) for name, times in taken.items()}  # the first round warms up


def test_five_targets_with_their_forward_pass_cost_at_most_1_6_training_passes(seconds):
    ratio = seconds["together"] / seconds["training_pass"]
    print(f"\nc-MWP of {len(UNITS)} targets, batch {BATCH}: {ratio:.2f} forward+backward passes {seconds}")
    assert ratio <= 1.6


def test_five_targets_together_beat_one_at_a_time(seconds):
    ratio = seconds["one_at_a_time"] / seconds["together"]
    print(f"\nc-MWP of {len(UNITS)} targets together is {ratio:.1f} times as fast as one at a time")
    assert ratio > 1.5
