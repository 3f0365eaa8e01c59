"""The network of fauna's attributes: a logit for each, named, as good as its card says."""

from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import load

from partbench import Dataset, InputError, Performer
from partbench.attribute_view import through_attribute
from partbench.datasets.fauna.attribute_scene import draw_attribute_scene
from partbench.datasets.fauna.attributes import ATTRIBUTE_NAMES, COEFFICIENTS, GLOBAL, LOCAL, attributes_of
from partbench.datasets.fauna.dataset import FaunaAttributes
from partbench.datasets.fauna.render import render_many
from partbench.performers.small_vgg import OUTPUTS, network
from partbench.performers.small_vgg_attributes import SmallVggAttributes, weights_file

CPU = torch.device("cpu")
COUNT = 240


@pytest.fixture(scope="module")
def performer() -> Performer:
    return SmallVggAttributes.open(through_attribute(FaunaAttributes(size=64), "attribute-wild"), CPU)


@pytest.fixture(scope="module")
def logits(performer: Performer) -> torch.Tensor:
    """Of scenes that took no part in training."""
    drawn = render_many(108, range(COUNT), scene_of=draw_attribute_scene)
    return performer.logits(torch.from_numpy(drawn["image"]).permute(0, 3, 1, 2).float() / 255)


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return torch.from_numpy(attributes_of(108, COUNT)).float()


def card() -> str:
    return (weights_file().parent / "small_vgg_attributes.md").read_text()


def test_the_weights_are_package_data_of_less_than_2_megabytes() -> None:
    assert weights_file().is_file()
    assert len(weights_file().read_bytes()) < 2_000_000


def test_the_model_card_reports_every_attribute() -> None:
    assert all(f"| {name} | {'global' if name in GLOBAL else 'local'} |" in card() for name in ATTRIBUTE_NAMES)


def test_outputs_are_named_by_attribute_and_targets_are_the_global_ones(performer: Performer) -> None:
    assert performer.outputs == ATTRIBUTE_NAMES
    assert [performer.outputs[i] for i in performer.targets.values()] == list(GLOBAL)
    assert list(performer.targets) == [f"attribute-{name}" for name in GLOBAL]


def test_each_attribute_is_recognised_about_as_well_as_the_card_says(logits: torch.Tensor, truth: torch.Tensor) -> None:
    right = (logits * truth > 0).double().mean(0)
    for name, found in zip(ATTRIBUTE_NAMES, right.tolist(), strict=True):
        (share,) = re.findall(rf"\| {name} \| \w+ \| ([\d.]+) \|", card())
        assert found == pytest.approx(float(share), abs=4 * (float(share) * (1 - float(share)) / COUNT) ** 0.5 + 0.02)


def test_local_attributes_are_better_known_than_global_ones(logits: torch.Tensor, truth: torch.Tensor) -> None:
    right = (logits * truth > 0).double().mean(0)
    assert right[: len(LOCAL)].mean() > 0.88
    assert 0.65 < right[len(LOCAL) :].mean() < 0.87


def test_global_logits_follow_the_local_attributes_they_were_drawn_from(
    logits: torch.Tensor, truth: torch.Tensor
) -> None:
    odds = truth[:, : len(LOCAL)].double() @ torch.from_numpy(COEFFICIENTS).T
    for found, expected in zip(logits[:, len(LOCAL) :].double().T, odds.T, strict=True):
        assert torch.corrcoef(torch.stack([found, expected]))[0, 1] > 0.6


def test_the_stages_are_those_of_small_vgg_and_compose_to_the_network(performer: Performer) -> None:
    whole = network(len(ATTRIBUTE_NAMES)).eval()
    whole.load_state_dict(load(weights_file().read_bytes()))
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(performer.logits(images), whole(images))
    assert list(performer.stages) == [name for name, _ in network().named_children()]


def test_small_vgg_itself_keeps_its_six_outputs() -> None:
    assert network().get_submodule("fc8").out_features == len(OUTPUTS) == 6


@pytest.mark.parametrize("known", [{"name": "celeba", "attribute_names": ("Male",)}, {"name": "fauna"}])
def test_what_it_cannot_tell_is_refused_with_what_to_use_instead(known: dict) -> None:
    dataset = type("Other", (Dataset,), known)()
    with pytest.raises(InputError, match="use --task fauna/attribute-<name>"):
        SmallVggAttributes.open(dataset, CPU)
