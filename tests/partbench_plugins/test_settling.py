"""When training stops, at which rate it runs, and what is recorded of it, on losses whose course is planted."""

from __future__ import annotations

import pytest
import torch

from partbench_plugins.settling import SettlingTraining, TrainingRecord, Watch, held_out_tenth

LABELS = torch.tensor([0] * 30 + [1] * 30)


def trained(curves: dict[str, list[float]], losses=("loss",), **options) -> tuple[TrainingRecord, list[float]]:
    """Training on watched values that are given beforehand; also the length of the last step of every epoch."""
    weight = torch.nn.Parameter(torch.zeros(()))
    lengths, places = [], []

    def values() -> dict[str, float]:
        epoch = len(places)
        places.append(float(weight.detach()))
        return {name: curve[min(epoch, len(curve) - 1)] for name, curve in curves.items()}

    def loss(positions):
        lengths.append(float(weight.detach()))
        return weight * 1.0

    training = SettlingTraining(**({"epochs": 40, "learning_rate": 0.1, "batch_size": 30, "patience": 2} | options))
    torch.manual_seed(0)
    record = training.until_settled(loss, [weight], LABELS, Watch(values, losses))
    return record, [before - after for before, after in zip([0.0, *places], places, strict=False)]


def test_a_loss_that_stands_still_settles_and_a_quarter_as_many_epochs_follow():
    record, _ = trained({"loss": [8.0, 4, 2, 1, 1, 1, 1, 1, 1, 1]})
    assert record.settled
    assert record.epochs == 7 + 1  # epochs 4 to 7 are the first four at 1: two to compare with the two before
    assert record.curves["loss"][:5] == [8, 4, 2, 1, 1]


def test_a_loss_that_keeps_falling_ends_at_the_ceiling_and_has_not_settled():
    record, _ = trained({"loss": [0.8**epoch for epoch in range(50)]}, epochs=20)
    assert not record.settled
    assert record.epochs == 20


def test_a_loss_that_rises_has_settled_but_a_value_that_rises_has_not():
    rising = [1.1**epoch for epoch in range(50)]
    assert trained({"loss": rising})[0].settled
    assert not trained({"share": rising})[0].settled


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_ends_the_training_with_a_reason(wrong):
    with pytest.raises(FloatingPointError, match=r"training diverged: held out loss is (nan|-?inf) after epoch 3; a"):
        trained({"share": [1.0], "held_out_loss": [4.0, 2.0, wrong]})


def test_all_watched_values_have_to_settle():
    still, falling = [1.0], [0.8**epoch for epoch in range(50)]
    assert trained({"loss": still, "share": still})[0].settled
    assert not trained({"loss": falling, "share": still})[0].settled
    assert not trained({"loss": still, "share": falling})[0].settled


def test_the_rate_is_constant_until_values_settle_and_then_falls_to_0():
    record, steps = trained({"loss": [float(30 - epoch) for epoch in range(20)]}, epochs=60)
    constant = 23  # the loss is the same from epoch 20 on
    assert record.epochs == 23 + 5
    assert steps[:constant] == pytest.approx([steps[0]] * constant, rel=1e-3)
    assert all(later < earlier for earlier, later in zip(steps[constant - 1 :], steps[constant:], strict=False))
    assert 0 < steps[-1] < 0.5 * steps[0]


@pytest.mark.parametrize("epochs", range(1, 30))
def test_the_ceiling_holds_both_phases(epochs):
    record, _ = trained({"loss": [0.8**epoch for epoch in range(50)]}, epochs=epochs)
    assert epochs - 1 <= record.epochs <= epochs
    assert record.epochs >= 1


def test_a_record_is_read_back_from_among_weights():
    record = TrainingRecord(True, {"loss": [2.0, 1.0], "share": [0.1, 0.2]})
    weights = {"layer": torch.ones(2)} | record.tensors()
    assert TrainingRecord.taken_from(weights) == record
    assert list(weights) == ["layer"]


def test_a_tenth_of_each_label_is_held_out_by_the_seed():
    labels = torch.tensor([0] * 50 + [1] * 20 + [2] * 5)
    trained_on, held = held_out_tenth(labels, 0)
    assert labels[held].bincount().tolist() == [5, 2]
    assert sorted(trained_on.tolist() + held.tolist()) == list(range(75))
    assert torch.equal(held_out_tenth(labels, 0)[1], held)
    assert not torch.equal(held_out_tenth(labels, 1)[1], held)


def test_of_too_few_images_all_are_trained_on_and_watched():
    trained_on, held = held_out_tenth(torch.tensor([0, 0, 1]), 0)
    assert trained_on.tolist() == held.tolist() == [0, 1, 2]
