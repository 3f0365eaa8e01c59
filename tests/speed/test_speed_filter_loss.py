"""The filter loss on the top of vgg_16 against the same training step without it, in one run.

A step is forward, backward and SGD of two 3 x 3 convs with 512 filters, each with ReLU, on 32 maps of 14 x 14 cells;
the layers below are frozen, which makes the step short and the comparison strict. The filter loss sits on the top conv
alone or, as in an interpretable CNN, on both, and may add a quarter either way. Rounds are interleaved and medians
compared, so that a busy machine slows all contestants alike.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from statistics import median

import pytest
import torch
from torch import nn

from partbench.nn.filter_gradients import FILTER_GRADIENTS, filter_gradient
from partbench.nn.filter_loss import FilterRegulariser
from partbench.nn.filter_weights import NormMatching
from partbench.nn.templates import templates

BATCH, FILTERS, CELLS, ROUNDS = 32, 512, 14, 5
PLACES = ("top conv", "both convs")


def regulariser(name: str) -> FilterRegulariser:
    bank = templates(CELLS, tau=8 / CELLS**2)
    return FilterRegulariser(filter_gradient(name, bank, FILTERS), NormMatching())


def training_step(name: str | None, place: str) -> Callable[[], None]:
    """One step of the two convs with the gradient `name` at `place`; None is the plain network."""
    convs = [nn.Conv2d(FILTERS, FILTERS, 3, padding=1) for _ in range(2)]
    losses = [None if name is None or (place == "top conv" and not top) else regulariser(name) for top in (False, True)]
    images, task = torch.randn(BATCH, FILTERS, CELLS, CELLS), torch.randn(BATCH, FILTERS, CELLS, CELLS)
    positive = torch.rand(BATCH, FILTERS) > 0.25
    parameters = [p for conv in convs for p in conv.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=1e-4, momentum=0.9)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        maps = images
        for conv, loss in zip(convs, losses, strict=True):
            maps = conv(maps).relu()
            maps = maps if loss is None else loss(maps, positive)
        maps.backward(task / task.numel())
        optimiser.step()

    return step


@pytest.fixture(scope="module")
def seconds() -> dict[tuple[str | None, str], float]:
    """Median seconds of a step of each contestant."""
    torch.manual_seed(0)
    contestants = {key: training_step(*key) for key in [(None, ""), *itertools.product(FILTER_GRADIENTS, PLACES)]}
    taken: dict[tuple[str | None, str], list[float]] = {key: [] for key in contestants}
    for _ in range(ROUNDS + 1):
        for key, step in contestants.items():
            start = time.perf_counter()
            step()
            taken[key].append(time.perf_counter() - start)
    return {key: median(times[1:]) for key, times in taken.items()}  # the first round warms up


@pytest.mark.parametrize("name", FILTER_GRADIENTS)
def test_the_filter_loss_adds_at_most_a_quarter_to_a_training_step_of_the_top_two_convs(seconds, name):
    top, both = (seconds[name, place] / seconds[None, ""] - 1 for place in PLACES)
    print(f"\n{name}: +{top:.1%} on the top conv, +{both:.1%} on both, of a step of {seconds[None, '']:.2f} s")
    assert max(top, both) <= 0.25
