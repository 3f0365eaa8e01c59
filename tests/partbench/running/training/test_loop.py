from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import nn

from partbench import InputError, Performer, silent
from partbench.running.training.checkpoint import Checkpoint
from partbench.running.training.loop import Training, balanced, frozen_stages, predicted

Made = Callable[..., Training]


def test_a_training_that_goes_on_from_its_checkpoint_ends_with_the_same_bits(training: Made, tmp_path: Path) -> None:
    whole, begun, path = training(), training(), tmp_path / "checkpoint.safetensors"
    rows = list(whole.epochs(silent))
    list(islice(begun.epochs(silent), 2))
    begun.checkpoint().write(path, {})
    resumed, found = training(), Checkpoint.read(path, {})
    assert found is not None
    resumed.go_on_from(found)
    torch.manual_seed(7)  # what the process has drawn before does not matter
    assert list(resumed.epochs(silent)) == rows[2:]
    for one, other in ((whole.weights(), resumed.weights()), (whole.best, resumed.best)):
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_weights_of_the_best_epoch_on_held_out_images_are_remembered(training: Made) -> None:
    made, after = training(epochs=4), []
    for _ in made.epochs(silent):
        after.append(made.weights())
    ranks = [(row["held_out_balanced_accuracy"], -row["held_out_loss"]) for row in made.curve]
    expected = after[ranks.index(max(ranks))]
    assert all(torch.equal(value, expected[name]) for name, value in made.best.items())
    assert made.curve[-1]["loss"] < made.curve[0]["loss"]


def test_frozen_layers_keep_weights_and_statistics_and_the_others_do_not(training: Made) -> None:
    stages = training().performer
    name = next(stage for stage in stages.stages if "norm" not in stage)
    made = training(epochs=1, frozen=frozen_stages(stages, [name]))
    before = made.weights()
    list(made.epochs(silent))
    changed = {
        weight.rpartition(".")[0] for weight, value in made.weights().items() if not torch.equal(value, before[weight])
    }
    assert not any(weight.startswith(f"{name}.") for weight in changed)
    assert changed


def test_layers_to_freeze_are_named_by_stage_role_or_beginning(training: Made) -> None:
    stages = {name: nn.Identity() for name in ("conv", "layer1.0", "layer1.1", "layer10", "fc")}
    performer = Performer("net", "1", 8, stages, {"top_conv": "layer1.1", "logits": "fc"}, ("a",), {"a": 0})
    assert frozen_stages(performer, ["top_conv", "conv"]) == {"layer1.1", "conv"}
    assert frozen_stages(performer, ["layer1"]) == {"layer1.0", "layer1.1"}
    with pytest.raises(InputError, match="no layer to freeze named 'top_con'; did you mean 'top_conv'"):
        frozen_stages(performer, ["top_con"])
    with pytest.raises(InputError, match="all layers with weights are frozen"):
        training(frozen=frozenset(training().performer.stages))


def test_a_loss_that_is_not_finite_ends_in_one_line(training: Made) -> None:
    with pytest.raises(InputError, match=r"the loss is not finite in epoch \d of 3; lower --lr \(now 1e\+30\)"):
        list(training(lr=1e30).epochs(silent))


def test_a_lone_logit_says_yes_above_0_and_balanced_accuracy_is_the_mean_of_classes() -> None:
    assert predicted(torch.tensor([[0.1], [-0.1]])).tolist() == [1, 0]
    assert predicted(torch.tensor([[0.1, 0.2], [3.0, 0.2]])).tolist() == [1, 0]
    assert balanced(torch.tensor([True, True, True, False]), torch.tensor([0, 0, 0, 1])) == 0.5
