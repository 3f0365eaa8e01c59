"""What a performer gives of its layers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from partbench import InputError, NotApplicable
from partbench.performer import LayerUnsuited, Performer


def two() -> Performer:
    stages = {"conv": nn.Conv2d(3, 2, 3), "logits": nn.Sequential(nn.Flatten(), nn.Linear(8, 2))}
    roles = {"target": "conv", "top_conv": "conv", "logits": "logits"}
    return Performer("two", "1", 4, stages, roles, ("a", "b"), {"a": 0, "b": 1})


def test_two_roles_may_be_one_layer() -> None:
    performer = two()
    stages = performer.stages
    images = torch.rand(5, 3, 4, 4)
    found = performer.activations(images, ["target", "top_conv", "logits", "conv"])
    expected = stages["conv"](images)
    assert set(found) == {"target", "top_conv", "logits", "conv"}
    for layer in ("target", "top_conv", "conv"):
        torch.testing.assert_close(found[layer], expected)
    torch.testing.assert_close(found["logits"], stages["logits"](expected))


def test_a_layer_that_is_not_there_is_answered_with_those_that_are() -> None:
    there = r"its layers: target \(conv\), top_conv \(conv\), logits"
    for asked in (two().layer, two().receptive_field):
        with pytest.raises(NotApplicable, match=f"two has no layer 'fc1'; {there}$"):
            asked("fc1")
    with pytest.raises(InputError, match=rf"no layer of two named 'covn'; did you mean 'conv'\? {there}") as caught:
        two().activations(torch.zeros(1, 3, 4, 4), ["covn"])
    assert not isinstance(caught.value, NotApplicable)


def test_a_layer_that_is_no_map_or_lies_elsewhere_skips_an_explainer_in_one_line() -> None:
    with pytest.raises(
        LayerUnsuited, match=r"layer 'logits' of two: .*gives \(2,\), expected a square map; its layers:"
    ):
        two().receptive_field("logits")
    with pytest.raises(LayerUnsuited, match=r"layer 'target' \(conv\) of two does not come after layer 'logits'$"):
        two().segment("logits", "target")
    assert issubclass(LayerUnsuited, NotApplicable)


def test_of_many_layers_a_message_names_the_first_ones() -> None:
    performer = two()
    stages = {**performer.stages, **{f"block{i}": nn.Identity() for i in range(20)}}
    many = replace(performer, stages=stages).layers_in_words()
    assert many.endswith("block11 and 8 more, see bench list performers two")
