"""The layers of a performer as `bench list performers NAME` shows them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from partbench import Performer
from partbench.opening import Workbench
from partbench.registry import load
from partbench.running.layers import layers_of, task_of

STAGES = {
    "conv": nn.Conv2d(3, 4, 3, stride=2, padding=1),
    "odd": nn.Conv2d(4, 4, (3, 1), padding=(1, 0)),
    "head": nn.Sequential(nn.Flatten(), nn.Linear(4 * 8 * 8, 2)),
}


def test_roles_shapes_and_receptive_fields_are_given_where_there_are_any() -> None:
    performer = Performer("toy", "1", 16, STAGES, {"target": "conv", "logits": "head"}, ("a", "b"), {"a": 0})
    conv, odd, head = layers_of(performer)
    assert conv == {
        "layer": "conv", "role": "target", "shape": "4 x 8 x 8", "sees": "3", "step": "2", "first centre": "0.5",
    }  # fmt: skip
    assert odd["sees"].startswith("~")  # its windows are not square: what it sees is measured
    assert (head["role"], head["shape"], head["sees"]) == ("logits", "2", "")
    assert not any(stage.training for stage in performer.stages.values())
    assert torch.is_grad_enabled()


def test_a_performer_is_opened_on_the_task_that_it_is_the_default_of(tmp_path: Path) -> None:
    workbench = Workbench(load())
    assert task_of(workbench, "small_vgg") == "fauna/multi:bird"
    assert task_of(workbench, "small_vgg_attributes").startswith("fauna/attribute-")
    assert task_of(workbench, "stranger") == "fauna/multi:bird@stranger"
