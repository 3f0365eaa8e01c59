from __future__ import annotations

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F

from partbench_plugins.balanced_training import BalancedTraining, balanced_odds

LABELS = torch.tensor([0] * 11 + [1] * 5 + [-1] * 4)
VALUES = torch.linspace(-1, 1, 60).reshape(20, 3)
EPOCHS, RATE, BATCH = 3, 1e-2, 5


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 1))


def loss(of: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(of(VALUES[rows])[:, 0], LABELS[rows].float())


def trained_step_by_step(of: nn.Module, rows: torch.Tensor) -> None:
    """The same training written out."""
    labels = LABELS[rows].tolist()
    odds = torch.tensor([1 / labels.count(label) for label in labels], dtype=torch.float64)
    drawn = min(labels.count(label) for label in set(labels)) * len(set(labels))
    batches = math.ceil(drawn / BATCH)
    optimiser = torch.optim.Adam(of.parameters(), RATE, fused=True)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
    for step in range(EPOCHS * batches):
        if step % batches == 0:
            chosen = rows[torch.multinomial(odds, drawn, replacement=True)].tensor_split(batches)
        optimiser.zero_grad()
        loss(of, chosen[step % batches]).backward()
        optimiser.step()
        cosine.step()


def test_training_is_bit_for_bit_that_of_a_loop_written_out():
    for rows in (torch.arange(20), torch.nonzero(LABELS >= 0).flatten()):
        found, expected = network(), network()
        start = copy.deepcopy(found.state_dict())
        torch.manual_seed(7)
        BalancedTraining(EPOCHS, RATE, BATCH).minimise(
            lambda positions, of=found, rows=rows: loss(of, rows[positions]), found.parameters(), LABELS[rows]
        )
        after = torch.rand(())
        torch.manual_seed(7)
        trained_step_by_step(expected, rows)
        assert torch.equal(after, torch.rand(()))  # as many random numbers were drawn
        for name, value in found.state_dict().items():
            assert torch.equal(value, expected.state_dict()[name])
            assert not torch.equal(value, start[name])


def test_an_epoch_shows_an_image_of_the_rarest_label_once_on_average_in_batches_of_at_most_the_size():
    drawn: list[torch.Tensor] = []
    weight = nn.Parameter(torch.zeros(()))

    def recorded(positions: torch.Tensor) -> torch.Tensor:
        drawn.append(positions)
        return weight.square()

    torch.manual_seed(0)
    BalancedTraining(300, RATE, BATCH).minimise(recorded, [weight], LABELS)
    assert {len(batch) for batch in drawn} == {4}
    assert len(drawn) == 300 * 3  # three labels, four images of the rarest
    labels = LABELS[torch.cat(drawn)]
    for label in (0, 1, -1):
        assert abs(float((labels == label).float().mean()) - 1 / 3) < 0.03


def test_the_rate_falls_along_a_cosine():
    """Under a constant gradient, Adam's step is as long as the rate."""
    weight = nn.Parameter(torch.zeros((), dtype=torch.float64))
    places: list[float] = []

    def slope(positions: torch.Tensor) -> torch.Tensor:
        places.append(float(weight.detach()))
        return -weight

    BalancedTraining(5, RATE, 6).minimise(slope, [weight], LABELS)
    places.append(float(weight.detach()))
    lengths = torch.tensor(places).diff()
    expected = torch.tensor([RATE * (1 + math.cos(math.pi * step / 10)) / 2 for step in range(10)])
    torch.testing.assert_close(lengths, expected, rtol=1e-3, atol=1e-6)


def test_callbacks_come_before_and_after_the_batches_of_each_epoch():
    seen: list[tuple[str, int]] = []
    weight = nn.Parameter(torch.zeros(()))

    def recorded(positions: torch.Tensor) -> torch.Tensor:
        seen.append(("batch", len(positions)))
        return weight.square()

    BalancedTraining(2, RATE, 12).minimise(
        recorded,
        [weight],
        LABELS,
        lambda epoch: seen.append(("before", epoch)),
        lambda epoch: seen.append(("after", epoch)),
    )
    assert seen == [("before", 1), ("batch", 12), ("after", 1), ("before", 2), ("batch", 12), ("after", 2)]


def test_balanced_odds_draw_every_label_equally_often():
    labels = torch.tensor([0, 0, 0, 1, -1, -1])
    odds = balanced_odds(labels)
    assert [float(odds[labels == label].sum()) for label in (0, 1, -1)] == [1.0, 1.0, 1.0]
