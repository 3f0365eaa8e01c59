"""Performers made of the narrower small_vgg: one network for all classes, and a binary head for each single task."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from partbench import InputError, Performer
from partbench.performers.narrow_vgg import NarrowVgg, network
from partbench.performers.shipped_vgg import OWN
from partbench.performers.small_vgg_scenes import SmallVggScenes
from partbench.performers.small_vgg_species import SmallVggSpecies

CPU = torch.device("cpu")

pytestmark = pytest.mark.parametrize("plugin", [SmallVggScenes, SmallVggSpecies])


def opened(plugin: type[NarrowVgg], negatives: str = "") -> Performer:
    categories = plugin.classes[3:4] if negatives else plugin.classes
    return plugin.open(SimpleNamespace(name=plugin.trained_on, negatives=negatives, categories=categories), CPU)


def test_the_weights_are_package_data_of_less_than_2_megabytes(plugin: type[NarrowVgg]) -> None:
    assert plugin.weights_file().is_file()
    assert len(plugin.weights_file().read_bytes()) < 2_000_000


def test_the_network_has_a_logit_for_each_class(plugin: type[NarrowVgg]) -> None:
    performer = opened(plugin)
    assert performer.outputs == plugin.classes
    assert performer.targets == {name: i for i, name in enumerate(plugin.classes)}
    assert list(performer.stages) == [name for name, _ in network(len(plugin.classes)).named_children()]
    assert performer.logits(torch.rand(2, 3, 64, 64)).shape == (2, len(plugin.classes))


@pytest.mark.parametrize("negatives", ["random", "others"])
def test_a_binary_network_has_fc7_and_fc8_of_its_own_on_shared_layers(plugin: type[NarrowVgg], negatives: str) -> None:
    whole, binary = opened(plugin).stages, opened(plugin, negatives).stages
    for name, stage in whole.items():
        both = list(zip(stage.parameters(), binary[name].parameters(), strict=True))
        same = all(torch.equal(one, other) for one, other in both)
        assert same != (name in OWN), name


def test_networks_of_different_tasks_have_different_fingerprints(plugin: type[NarrowVgg]) -> None:
    assert len({opened(plugin, negatives).fingerprint for negatives in ("", "random", "others")}) == 3


def test_another_dataset_is_refused_with_what_to_use_instead(plugin: type[NarrowVgg]) -> None:
    with pytest.raises(InputError, match=f"{plugin.trained_on} only; use --task fauna/multi:<category>@lite0_head"):
        plugin.open(SimpleNamespace(name="fauna", negatives=""), CPU)
