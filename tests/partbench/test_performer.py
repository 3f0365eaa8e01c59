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


class Seen(nn.Module):
    """Notes how many images it is given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(value))
        return value


@pytest.mark.parametrize(("images", "expected"), [(5, [5]), (31, [31]), (32, [16, 16]), (70, [18, 18, 17, 17])])
def test_large_images_pass_in_chunks_of_which_none_is_small(images: int, expected: list[int]) -> None:
    seen = Seen()
    stages = {"seen": seen, "logits": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))}
    performer = Performer("wide", "1", 200, stages, {"logits": "logits"}, ("a", "b"), {"a": 0, "b": 1})
    performer.logits(torch.rand(images, 3, 200, 200))
    assert seen.sizes == expected


def test_chunks_of_images_give_the_bits_of_the_whole_batch() -> None:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 16, 1), nn.Conv2d(16, 64, 1), nn.ReLU6())
    stages = {"conv": trunk, "logits": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 5))}
    performer = Performer("wide", "1", 224, stages, {"logits": "logits"}, tuple("abcde"), {"a": 0})
    images = torch.rand(37, 3, 224, 224)
    with torch.no_grad():
        maps = trunk(images)
        logits = stages["logits"](maps)
    found = performer.activations(images, ["conv", "logits"])
    assert torch.equal(found["conv"], maps)
    assert torch.equal(found["logits"], logits)
    assert torch.equal(performer.logits(images), logits)


def test_a_batch_that_is_not_divided_is_not_copied() -> None:
    images = torch.rand(5, 3, 4, 4)
    assert two().forward_from("images", images, "conv").shape == (5, 2, 2, 2)
    value = two().forward_from("conv", images, "conv")
    assert value.data_ptr() == images.data_ptr()
