from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import nn

from partbench import InputError, Performer
from partbench.datasets.matlab.process import MatFile, MatlabProcess
from partbench.performers.vgg_ms import VGG_M, VGG_S, Shape, VggM, load_matconvnet, network, normalise, response_norm


def struct(**fields: object) -> np.ndarray:
    row = np.empty((1, 1), dtype=[(name, object) for name in fields])
    row[0, 0] = tuple(fields.values())
    return row


def cells(*values: object) -> np.ndarray:
    found = np.empty((1, len(values)), dtype=object)
    for place, value in enumerate(values):
        found[0, place] = value
    return found


# Spec of the papers' networks: cells of the top convolution, of its pool, 1-based centre of the first cell, step.
@pytest.mark.parametrize(
    ("shape", "cells_", "pooled", "centre", "step"), [(VGG_M, 13, 6, 18, 16), (VGG_S, 17, 6, 21, 12)]
)
def test_maps_have_the_published_sizes_and_centres(
    shape: Shape, cells_: int, pooled: int, centre: int, step: int
) -> None:
    with torch.device("meta"):
        stages = network(shape, 224)
        value, sizes = torch.zeros(1, 3, 224, 224), {}
        for name, stage in stages.named_children():
            value = stage(value)
            sizes[name] = tuple(value.shape[1:])
    assert sizes["conv5"] == (512, cells_, cells_)
    assert sizes["pool5"] == (512, pooled, pooled)
    assert (sizes["fc6"], sizes["fc8"]) == ((4096,), (1000,))
    performer = Performer(
        "p", "1", 224, dict(stages.named_children()), VggM.roles or {}, (), {}, device=torch.device("meta")
    )
    for layer in ("conv4", "conv5"):
        field = performer.receptive_field(layer)
        assert (field.offset, field.stride) == (centre - 0.5, step)
    assert performer.receptive_field("conv5").approximate == ""


def small() -> nn.Sequential:
    stages = {
        "conv1": nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU()), "norm1": response_norm(5, 2.0, 1e-4, 0.75),
        "fc6": nn.Sequential(nn.Flatten(), nn.Linear(6 * 4 * 4, 5), nn.ReLU()),
    }  # fmt: skip
    model = nn.Sequential()
    for name, stage in stages.items():
        model.add_module(name, stage)
    return model


def file_of(path: Path, process: MatlabProcess, **changed: object) -> MatFile:
    draw = np.random.default_rng(0)
    conv, fc = draw.normal(size=(3, 3, 3, 6)).astype("f4"), draw.normal(size=(4, 4, 6, 5)).astype("f4")
    given = {"pad": np.ones((1, 4)), "stride": np.full((1, 2), 2.0), "weights": cells(conv, np.ones((1, 6), "f4"))}
    layers = [
        struct(**{"name": "conv1", "type": "conv", **given, **changed}),
        struct(name="norm1", type="normalize", param=np.array([[5, 1.5, 1e-2, 0.5]])),
        struct(name="fc6", type="conv", weights=cells(fc, np.zeros((1, 5), "f4"))),
    ]
    savemat(path, {"layers": cells(*layers), "meta": struct(normalization=struct(averageImage=np.ones((1, 1, 3))))})
    return MatFile(path, path.read_bytes(), process)


def by_hand(image: np.ndarray, file: Path) -> np.ndarray:
    """MatConvNet's convolution, normalisation and full convolution, from their definitions; image (8, 8, 3)."""
    from scipy.io import loadmat

    layers = loadmat(file)["layers"].ravel()
    (conv, bias), (fc, shift) = (layers[place]["weights"][0, 0].ravel() for place in (0, 2))
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    windows = [[padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] for x in range(4)] for y in range(4)]
    maps = np.array([[np.tensordot(w, conv, 3) + bias.ravel() for w in row] for row in windows]).clip(min=0)
    squares = np.array([(maps[..., max(0, c - 2) : c + 3] ** 2).sum(-1) for c in range(6)]).transpose(1, 2, 0)
    maps = maps / (1.5 + 1e-2 * squares) ** 0.5
    return (np.tensordot(maps, fc, 3) + shift.ravel()).clip(min=0)


def test_a_file_of_matconvnet_gives_the_network_that_its_definitions_give(tmp_path: Path) -> None:
    model, image = small(), np.random.default_rng(1).normal(size=(8, 8, 3)).astype("f4")
    with MatlabProcess() as process:
        file = file_of(tmp_path / "net.mat", process)
        load_matconvnet(model, file)
        found = model(torch.from_numpy(image).permute(2, 0, 1)[None]).detach().numpy()
        assert found[0] == pytest.approx(by_hand(image, file.path), rel=1e-4, abs=1e-4)
        for changed, said in [
            ({"pad": np.zeros((1, 4))}, r"has pad \[0.0, 0.0, 0.0, 0.0\] in conv1, expected 1"),
            ({"weights": cells(np.zeros((5, 5, 3, 6), "f4"), np.ones((1, 6), "f4"))}, "filters of conv1 that are"),
            ({"name": "other"}, "has no layer 'conv1'"),
        ]:
            with pytest.raises(InputError, match=said):
                load_matconvnet(small(), file_of(tmp_path / "net.mat", process, **changed))


def test_images_are_in_255ths_minus_the_average_image_or_its_mean_colour() -> None:
    average = np.arange(4 * 4 * 3.0).reshape(-1, 3)
    images = torch.rand(1, 3, 4, 4)
    expected = images * 255 - torch.from_numpy(average.reshape(4, 4, 3)).permute(2, 0, 1).float()
    assert torch.allclose(normalise(average, 4, 4, 4)(images), expected, atol=1e-4)
    colour = torch.from_numpy(average.mean(0)).float()[:, None, None]
    assert torch.allclose(normalise(average, 4, 4, 8)(images), images * 255 - colour, atol=1e-4)


def test_without_the_file_one_line_says_which_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, squares: Callable
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    where = tmp_path / "hub" / "checkpoints" / "imagenet-vgg-m.mat"
    monkeypatch.setattr(VggM, "unloaded", None)
    with pytest.raises(InputError, match=rf"not at {where}; download https://.*, or use vgg_m,weights=FILE"):
        VggM.open(squares(), torch.device("cpu"))
