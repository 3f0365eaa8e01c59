"""VGG-M and VGG-S, with weights of MatConvNet: `imagenet-vgg-m.mat` and `imagenet-vgg-s.mat`.

Source: Chatfield et al., "Return of the Devil in the Details", BMVC 2014, Table 1 (CNN-M, CNN-S), with the paddings of
the files: pools pad zeros after the last row and column alone. Zeros and MatConvNet's minus infinity are the same below
a pool of values >= 0.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from partbench import ChainStage, InputError, hookimpl, unknown
from partbench.datasets.matlab.process import MatFile, MatlabProcess
from partbench.performers.network_plugin import Built, NetworkPlugin
from partbench.performers.normalise import Normalise
from partbench.performers.torchvision_networks import FC, with_shapes
from partbench.performers.weight_files import checkpoints, found_file

SITE = "https://www.vlfeat.org/matconvnet/models"
AVERAGE = (123.68, 116.779, 103.939)  # of ImageNet's photographs, RGB in [0, 255]
RESPONSE = (5, 2.0, 1e-4, 0.75)  # of local response normalisation: channels, kappa, alpha, beta
OUTPUTS = 1000


class Pool(NamedTuple):
    """A max-pool: its window, its step, and the zeros after the last row and column."""

    kernel: int
    stride: int
    after: int


class Shape(NamedTuple):
    """What VGG-M and VGG-S differ in: conv2 (kernel, stride, padding), and the pools after conv1, conv2 and conv5."""

    conv2: tuple[int, int, int]
    pools: tuple[Pool, Pool, Pool]
    normalised: tuple[int, ...]  # convolutions followed by local response normalisation


VGG_M = Shape((5, 2, 1), (Pool(3, 2, 0), Pool(3, 2, 1), Pool(3, 2, 1)), (1, 2))
VGG_S = Shape((5, 1, 0), (Pool(3, 3, 2), Pool(2, 2, 1), Pool(3, 3, 1)), (1,))


class VggM(NetworkPlugin):
    """VGG-M: 224 px, explained at conv4 and conv5 of 13 x 13 cells; weights of MatConvNet (imagenet-vgg-m.mat).

    Its last layer is fitted to the training images of the task.
    """

    name: ClassVar[str] = "vgg_m"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 224
    roles: ClassVar[dict[str, str] | None] = {"target": "conv4", "top_conv": "conv5", **FC}
    shape: ClassVar[Shape] = VGG_M
    file: ClassVar[str] = "imagenet-vgg-m.mat"

    @classmethod
    def unloaded(cls) -> Built:
        """The network with random weights."""
        return Built(network(cls.shape, cls.input_size), normalise(np.array([AVERAGE]), 1, 1, cls.input_size))

    @classmethod
    def pretrained(cls) -> Built:
        """The network with the weights of MatConvNet's file, from torch's folder of checkpoints.

        Raises InputError where it is not there.
        """
        path, name = checkpoints() / cls.file, cls.name.partition(",")[0]
        if not path.is_file():
            raise InputError(
                f"the ImageNet weights of {name} are not at {path}; download {SITE}/{cls.file} to it, or use "
                f"{name},weights=FILE or {name},weights=random"
            )
        return cls._loaded(path)

    @classmethod
    def from_file(cls) -> Built:
        """The network with the weights of a file of MatConvNet, or of one of torch."""
        path = found_file(cls.options.weights)
        return cls._loaded(path) if path.suffix == ".mat" else super().from_file()

    @classmethod
    def chain(cls, network: nn.Module, named: Sequence[str]) -> list[ChainStage]:
        """The stages by the names of the file."""
        layers = dict(network.named_children())
        if absent := [name for name in named if name not in layers]:
            raise unknown("layer", absent[0], layers)
        return with_shapes(layers, cls.input_size)

    @classmethod
    def _loaded(cls, path: Path) -> Built:
        built = cls.unloaded()
        with MatlabProcess() as process:
            file = MatFile(path, path.read_bytes(), process)
            load_matconvnet(built.network, file)
            average, (height, width) = _average(file)
        return Built(built.network, normalise(average, height, width, cls.input_size))


class VggS(VggM):
    """VGG-S: 224 px, explained at conv4 and conv5 of 17 x 17 cells; weights of MatConvNet (imagenet-vgg-s.mat).

    Its last layer is fitted to the training images of the task.
    """

    name: ClassVar[str] = "vgg_s"
    shape: ClassVar[Shape] = VGG_S
    file: ClassVar[str] = "imagenet-vgg-s.mat"


def network(shape: Shape, size: int) -> nn.Sequential:
    """The stages of the network, with random weights."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    plan = ((96, 7, 2, 0), (256, *shape.conv2), (512, 3, 1, 1), (512, 3, 1, 1), (512, 3, 1, 1))
    inputs, pools = 3, dict(zip((1, 2, 5), shape.pools, strict=True))
    for number, (filters, kernel, stride, padding) in enumerate(plan, 1):
        stages[f"conv{number}"] = nn.Sequential(nn.Conv2d(inputs, filters, kernel, stride, padding), nn.ReLU())
        if number in shape.normalised:
            stages[f"norm{number}"] = response_norm(*RESPONSE)
        if number in pools:
            stages[f"pool{number}"] = pool(pools[number])
        inputs = filters
    with torch.no_grad():
        cells = nn.Sequential(stages)(torch.zeros(1, 3, size, size)).shape[-1]
    stages["fc6"] = nn.Sequential(nn.Flatten(), nn.Linear(512 * cells * cells, 4096), nn.ReLU())
    stages["fc7"] = nn.Sequential(nn.Linear(4096, 4096), nn.ReLU())
    stages["fc8"] = nn.Sequential(nn.Linear(4096, OUTPUTS))
    return nn.Sequential(stages)


def pool(window: Pool) -> nn.Module:
    """A max-pool of maps >= 0, padded with zeros after the last row and column."""
    pooling = nn.MaxPool2d(window.kernel, window.stride)
    return nn.Sequential(nn.ZeroPad2d((0, window.after, 0, window.after)), pooling) if window.after else pooling


def response_norm(channels: float, kappa: float, alpha: float, beta: float) -> nn.LocalResponseNorm:
    """x / (kappa + alpha * sum of squares over neighbouring channels)^beta; torch divides alpha by their number."""
    return nn.LocalResponseNorm(int(channels), alpha * int(channels), beta, kappa)


def normalise(average: np.ndarray, height: int, width: int, size: int) -> Normalise:
    """Images in [0, 1] times 255, minus an average image of RGB in [0, 255]; of another size: minus its mean colour."""
    stage = Normalise((0.0,) * 3, (1 / 255,) * 3)
    image = torch.from_numpy(np.asarray(average, np.float32) / 255).T.reshape(3, height, width)
    stage.mean = image if (height, width) == (size, size) else image.mean((1, 2), keepdim=True)
    return stage


@torch.no_grad()
def load_matconvnet(model: nn.Module, file: MatFile) -> None:
    """Give the convolutions, linear layers and norms of a network what a file of MatConvNet holds under their names.

    Raises InputError where a layer is missing or of another shape, padding or step.
    """
    for name, stage in model.named_children():
        for layer in stage.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                filters, shape, biases, pad, stride, _ = file.layer(name)
                if isinstance(layer, nn.Conv2d):
                    _expect(file, name, "pad", pad, layer.padding[0])
                    _expect(file, name, "stride", stride, layer.stride[0])
                weight = torch.from_numpy(filters.reshape(shape[0].astype(int)) if filters.size else filters)
                _copy(layer, weight, torch.from_numpy(biases), f"{file.path} has filters of {name} that are ")
            elif isinstance(layer, nn.LocalResponseNorm):
                *_, param = file.layer(name)
                if param.size != 4:
                    raise InputError(f"{file.path} has param {param.tolist()} in {name}, expected 4 numbers")
                found = response_norm(*param.ravel().tolist())
                layer.size, layer.alpha, layer.beta, layer.k = found.size, found.alpha, found.beta, found.k


def _copy(layer: nn.Conv2d | nn.Linear, filters: Tensor, biases: Tensor, said: str) -> None:
    """MatConvNet's filters (h, w, in, out) are torch's (out, in, h, w); a linear layer convolves all cells."""
    weight = filters.permute(3, 2, 0, 1) if filters.ndim == 4 else filters
    weight = weight.flatten(1) if isinstance(layer, nn.Linear) else weight
    if weight.shape != layer.weight.shape or biases.numel() != len(weight):
        raise InputError(f"{said}{tuple(filters.shape)}, expected {tuple(layer.weight.shape)} of torch's order")
    layer.weight.copy_(weight)
    assert layer.bias is not None
    layer.bias.copy_(biases.ravel())


def _expect(file: MatFile, name: str, what: str, found: np.ndarray, expected: int | str) -> None:
    if found.size and set(found.ravel().tolist()) != {float(expected)}:
        raise InputError(f"{file.path} has {what} {found.ravel().tolist()} in {name}, expected {expected}")


def _average(file: MatFile) -> tuple[np.ndarray, tuple[int, int]]:
    image, shape = file.average_image()
    return image, (int(shape[0, 0]), int(shape[0, 1]))


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performers."""
    register(VggM)
    register(VggS)
