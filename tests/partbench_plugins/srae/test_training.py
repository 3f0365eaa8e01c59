from __future__ import annotations

import pytest
import torch

from partbench_plugins.srae.network import XLayerNetwork
from partbench_plugins.srae.training import Examples, StepDecay, pretrain, regress, train_predictor

from ..toys import HIDDEN


def examples(count: int = 120) -> Examples:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(count, HIDDEN, generator=generator).relu()
    return Examples(z, z[:, 0] - 2 * z[:, 1] + 0.5, torch.ones(count), torch.arange(count) < 30)


def network() -> XLayerNetwork:
    torch.manual_seed(0)
    return XLayerNetwork([HIDDEN, 12, 6])


@pytest.mark.parametrize(("even", "sizes"), [(True, [40, 40, 40]), (False, [50, 50, 20])])
def test_an_epoch_goes_through_all_examples_in_batches_of_at_most_the_size(even: bool, sizes: list[int]) -> None:
    batches = StepDecay(1, 1e-3, 50, even=even).batches(120)
    assert [len(rows) for rows in batches] == sizes
    assert torch.equal(torch.cat(list(batches)).sort().values, torch.arange(120))


def test_the_rate_falls_to_a_tenth_every_so_many_epochs() -> None:
    schedule = StepDecay(130, 1e-3, 50, decay_every=40)
    assert [schedule.rate(epoch) for epoch in (0, 39, 40, 129)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-6])
    assert StepDecay(130, 1e-3, 50).rate(129) == 1e-3


def test_a_predictor_trained_by_itself_comes_near_to_least_squares_and_leaves_the_encoder_alone() -> None:
    data, trained, solved = examples(), network(), network()
    before = [weight.clone() for weight in trained.encoder.parameters()]
    train_predictor(trained, data, StepDecay(300, 3e-2, 60, decay_every=150))
    regress(solved, data)
    assert all(torch.equal(old, new) for old, new in zip(before, trained.encoder.parameters(), strict=True))
    with torch.no_grad():
        errors = [float((each(data.z).predicted - data.logits).square().mean()) for each in (solved, trained)]
    assert errors[0] - 1e-6 <= errors[1] < 1.05 * errors[0]


def test_pretrained_layers_rebuild_what_lies_below_them_better_than_random_ones() -> None:
    data, random, started = examples(), network(), network()
    pretrain(started, data, StepDecay(60, 1e-2, 30))
    with torch.no_grad():
        errors = [float((each(data.z).reconstruction - data.z).square().mean()) for each in (random, started)]
    assert errors[1] < 0.7 * errors[0]
    assert torch.equal(random.predictor.weight, started.predictor.weight)
