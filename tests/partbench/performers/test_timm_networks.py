from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from partbench import InputError, check_performer
from partbench.performers import timm_networks
from partbench.performers.timm_networks import TimmNetwork, coarse_chain

CPU = torch.device("cpu")


@pytest.fixture
def timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if find_spec("timm") is None:
        pytest.skip("timm is an extra: pip install partbench[timm]")
    return timm_networks.installed()


def test_without_timm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"performers timm:NAME need `pip install 'partbench\[timm\]'`"):
        TimmNetwork.variant("timm:resnet50")


def test_a_vision_transformer_is_explained_at_its_grid_of_tokens(timm: object, squares: Callable) -> None:
    plugin = TimmNetwork.variant("timm:vit_tiny_patch16_224,weights=random,size=64")
    performer = plugin.open(squares(size=64), CPU)
    check_performer(performer, squares(size=64))
    assert performer.activations(torch.rand(1, 3, 64, 64), ["target"])["target"].shape == (1, 192, 4, 4)
    assert not performer.has("top_conv")


def test_a_wrong_name_is_corrected_and_weights_that_cannot_be_had_are_one_line(timm: object, squares: Callable) -> None:
    with pytest.raises(InputError, match="no network of timm named 'resnet19'; did you mean '"):
        TimmNetwork.variant("timm:resnet19")
    with pytest.raises(
        InputError, match=r"weights of timm:resnet10t cannot be had .*; download model.safetensors from"
    ):
        TimmNetwork.variant("timm:resnet10t").open(squares(size=176), CPU)


@pytest.mark.soak
def test_a_network_that_cannot_be_traced_is_three_stages(timm: object) -> None:
    torch.manual_seed(0)
    network = timm_networks.installed().create_model("vgg11").eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        value = images
        for stage in coarse_chain(network, 64):
            value = stage.module(value)
        assert torch.equal(value, network(images))
