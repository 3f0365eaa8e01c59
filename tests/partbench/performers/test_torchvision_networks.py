from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn

from partbench import (
    ExcitationBP,
    InputError,
    PartSettings,
    PerformerPlugin,
    chain_of,
    receptive_field,
    torchvision,
)
from partbench.performers.torchvision_networks import (
    Alexnet,
    TorchvisionNetwork,
    Vgg16,
    Vgg19,
    named_chain,
    one_number,
)
from partbench.performers.vgg_ms import VggM, VggS

CPU = torch.device("cpu")
# Cells of the top convolution and of its pool, and the 1-based centre and step of published tables; AlexNet's centre is
# that of torchvision's, whose first convolution is padded.
PUBLISHED = {
    "alexnet": (Alexnet, "conv5", 13, 6, 16, 16, 256),
    "vgg_16": (Vgg16, "conv5_3", 14, 7, 8.5, 16, 512),
    "vgg_19": (Vgg19, "conv5_4", 14, 7, 8.5, 16, 512),
}


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_maps_have_the_published_sizes_and_centres(name: str) -> None:
    cls, top, cells, pooled, centre, step, filters = PUBLISHED[name]
    with torch.device("meta"):
        network = torchvision().models.get_model(cls.builder, weights=None)
        stages = {stage.name: stage for stage in cls.chain(network.eval(), [])}
        value = network(torch.zeros(1, 3, 224, 224))
        chained = torch.zeros(1, 3, 224, 224)
        for stage in stages.values():
            chained = stage.module(chained)
    assert chained.shape == value.shape
    assert stages[top].shape == (filters, cells, cells)
    assert stages["pool5"].shape == (filters, pooled, pooled)
    assert stages["fc6"].shape == stages["fc7"].shape == (4096,)
    assert list(stages)[-1] == "fc8"
    assert set((cls.roles or {}).values()) <= set(stages)
    until = list(stages).index(top) + 1
    field = receptive_field(nn.Sequential(*(stage.module for stage in islice(stages.values(), until))), 224)
    assert (field.offset, field.stride, field.approximate) == (centre - 0.5, step, "")


def test_named_stages_are_the_network_to_the_bit() -> None:
    torch.manual_seed(0)
    models = torchvision().models
    features = nn.Sequential(*list(models.alexnet().features))
    toy = nn.Module()
    toy.features, toy.avgpool = features, nn.AdaptiveAvgPool2d(2)
    toy.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1024, 9), nn.ReLU(), nn.Dropout(), nn.Linear(9, 5))
    images = torch.rand(2, 3, 96, 96)
    value = images
    toy.eval()
    expected = toy.classifier(toy.avgpool(toy.features(images.clone())).flatten(1))
    for stage in named_chain(toy, 96, one_number(features), []):
        value = stage.module(value)
    assert torch.equal(value, expected)


def test_any_classifier_is_found_by_name_and_a_wrong_one_is_corrected() -> None:
    found = TorchvisionNetwork.variant("torchvision:efficientnet_b1,weights=random")
    assert (found.name, found.input_size) == ("torchvision:efficientnet_b1,weights=random", 240)
    with pytest.raises(InputError, match="no classifier of torchvision named 'resnet17'; did you mean 'resnet1"):
        TorchvisionNetwork.variant("torchvision:resnet17")
    with pytest.raises(InputError, match="say which, as in torchvision:resnet18"):
        TorchvisionNetwork.unloaded()


def test_offline_one_line_says_which_file_to_put_where(
    squares: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    where = tmp_path / "torch" / "hub" / "checkpoints" / "mobilenet_v3_small-047dcff4.pth"
    with pytest.raises(InputError, match=rf"cannot be had \(.*no network.*\); put https://\S*/{where.name} at {where}"):
        TorchvisionNetwork.variant("torchvision:mobilenet_v3_small").open(squares(), CPU)


def steps(plugin: type[PerformerPlugin], squares: Callable) -> tuple[torch.Tensor, torch.Tensor]:
    """One forward pass, one c-MWP from the first logit and one gradient of the filter loss at the top convolution."""
    performer, batch = (
        plugin.open(squares(size=plugin.input_size), CPU),
        squares(size=plugin.input_size).test.batch([0, 1]),
    )
    found = performer.activations(batch.pixels, ["target", "top_conv", "logits"])
    assert found["logits"].shape == (2, 3)
    maps = ExcitationBP(performer.segment("target", "logits")).contrastive_maps(found["target"], [0])
    top = found["top_conv"].clone().requires_grad_()
    parts = PartSettings().layer(top.shape[1], top.shape[2]).train()
    parts(top, torch.tensor([0, -1])).sum().backward()
    assert top.grad is not None
    return maps, top.grad


def test_a_residual_network_goes_through_excitation_backprop_and_filter_loss(squares: Callable) -> None:
    maps, gradient = steps(TorchvisionNetwork.variant("torchvision:resnet18,weights=random,size=64"), squares)
    assert maps.shape == (2, 1, 4, 4)
    assert maps.sum() > 0
    assert torch.isfinite(gradient).all()
    assert gradient.any()


@pytest.mark.soak
@pytest.mark.parametrize("cls", [Alexnet, Vgg16, Vgg19, VggM, VggS])
def test_networks_of_the_papers_go_through_excitation_backprop_and_filter_loss(
    cls: type[PerformerPlugin], squares: Callable
) -> None:
    size = "" if cls in (VggM, VggS) else ",size=64"
    maps, gradient = steps(cls.variant(f"{cls.name},weights=random{size}"), squares)
    assert maps.sum() > 0
    assert torch.isfinite(gradient).all()
    assert gradient.any()


@pytest.mark.soak
@pytest.mark.parametrize(
    "name",
    ["densenet121", "googlenet", "inception_v3", "squeezenet1_1", "shufflenet_v2_x0_5", "swin_t", "convnext_tiny",
     "efficientnet_b0", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "maxvit_t", "vit_b_32"],
)  # fmt: skip
def test_every_family_of_torchvision_is_a_chain_that_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    network, images = torchvision().models.get_model(name, weights=None).eval(), torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        value = images.clone()
        for stage in chain_of(network, images[0]):
            value = stage.module(value)
        assert torch.equal(value, network(images))
