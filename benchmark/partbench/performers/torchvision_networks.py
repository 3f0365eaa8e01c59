"""Classifiers of torchvision by name, and those of them that the papers use, with the papers' names of layers.

Differences from the networks of the papers: AlexNet here is torchvision's (64, 192, 384, 256 and 256 filters in one
group each, 224 px), not Caffe's (96, 256, 384, 384 and 256 filters, partly in two groups, 227 px); its top convolution
has 13 x 13 cells as well. VGG-16 and VGG-19 are those of the papers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath
from typing import Any, ClassVar

import torch
from torch import nn

from partbench import ChainStage, InputError, PerformerPlugin, hookimpl, torchvision, unknown
from partbench.performers.network_options import NetworkOptions
from partbench.performers.network_plugin import MEAN, STD, Built, NetworkPlugin
from partbench.performers.normalise import Normalise
from partbench.performers.weight_files import checkpoints

FC = {"fc1": "fc6", "fc2": "fc7"}


class TorchvisionNetwork(NetworkPlugin):
    """Any classifier of torchvision, as in torchvision:resnet18, with a linear layer fitted to the task's images."""

    name: ClassVar[str] = "torchvision:NAME"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 224
    builder: ClassVar[str] = ""  # the name in torchvision

    @classmethod
    def variant(cls, name: str) -> type[PerformerPlugin]:
        """The performer of a network by its name, and the options behind it. Raises InputError for an unknown one."""
        if cls.builder:
            return super().variant(name)
        base, _, text = name.partition(",")
        builder = base.partition(":")[2]
        if builder not in builders():
            raise unknown("classifier of torchvision", builder, builders())
        size = _transforms(builder).crop_size[0]
        return cls.with_options(base, NetworkOptions.parse(text, base), builder=builder, input_size=size)

    @classmethod
    def unloaded(cls) -> Built:
        """The network with random weights."""
        return Built(torchvision().models.get_model(cls._known(), weights=None, **cls._sized()), cls._normalise())

    @classmethod
    def pretrained(cls) -> Built:
        """The network with torchvision's default ImageNet weights, from torch's folder of checkpoints or its server."""
        models = torchvision().models
        weights = models.get_model_weights(cls._known()).DEFAULT
        try:
            network = models.get_model(cls.builder, weights=weights, **cls._sized())
        except (OSError, RuntimeError) as error:  # no network; a file that is not what was published
            name = cls.name.partition(",")[0]
            file = checkpoints() / PurePosixPath(weights.url).name
            reason = " ".join(str(error).split())[:120]
            raise InputError(
                f"the ImageNet weights of {name} cannot be had ({reason}); put {weights.url} at {file}, or use "
                f"{name},weights=FILE or {name},weights=random"
            ) from error
        return Built(network, cls._normalise())

    @classmethod
    def _known(cls) -> str:
        if not cls.builder:
            raise InputError(
                "torchvision:NAME stands for any classifier of torchvision; say which, as in torchvision:resnet18"
            )
        return cls.builder

    @classmethod
    def _sized(cls) -> Mapping[str, Any]:
        """What networks that are made for one size of image must be told."""
        if not cls.options.size:
            return {}
        if cls.builder.startswith("vit_"):
            return {"image_size": cls.options.size}
        return {"input_size": (cls.options.size,) * 2} if cls.builder.startswith("maxvit") else {}

    @classmethod
    def _normalise(cls) -> Normalise:
        preset = _transforms(cls.builder)
        return Normalise(preset.mean, preset.std)


class Alexnet(TorchvisionNetwork):
    """AlexNet as torchvision has it: 224 px, explained at conv4 and conv5 of 13 x 13 cells; ImageNet weights.

    Its last layer is fitted to the training images of the task.
    """

    name: ClassVar[str] = "alexnet"
    builder: ClassVar[str] = "alexnet"
    roles: ClassVar[dict[str, str] | None] = {"target": "conv4", "top_conv": "conv5", **FC}

    @classmethod
    def chain(cls, network: nn.Module, named: Sequence[str]) -> list[ChainStage]:
        """The stages by the names of the paper."""
        return named_chain(network, cls.input_size, one_number(network.features), named)  # type: ignore[arg-type]


class Vgg16(TorchvisionNetwork):
    """VGG-16: 224 px, explained at conv5_2 and conv5_3 of 14 x 14 cells; ImageNet weights of torchvision.

    Its last layer is fitted to the training images of the task.
    """

    name: ClassVar[str] = "vgg_16"
    builder: ClassVar[str] = "vgg16"
    roles: ClassVar[dict[str, str] | None] = {"target": "conv5_2", "top_conv": "conv5_3", **FC}

    @classmethod
    def chain(cls, network: nn.Module, named: Sequence[str]) -> list[ChainStage]:
        """The stages by the names of the paper."""
        return named_chain(network, cls.input_size, two_numbers(network.features), named)  # type: ignore[arg-type]


class Vgg19(Vgg16):
    """VGG-19: 224 px, explained at conv5_3 and conv5_4 of 14 x 14 cells; ImageNet weights of torchvision.

    Its last layer is fitted to the training images of the task.
    """

    name: ClassVar[str] = "vgg_19"
    builder: ClassVar[str] = "vgg19"
    roles: ClassVar[dict[str, str] | None] = {"target": "conv5_3", "top_conv": "conv5_4", **FC}


def one_number(features: nn.Sequential) -> Iterator[str]:
    """Names of the convolutions and pools of AlexNet: conv1, pool1, conv2, ... conv5, pool5."""
    number = 0
    for layer in features:
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            number += isinstance(layer, nn.Conv2d)
            yield f"{'conv' if isinstance(layer, nn.Conv2d) else 'pool'}{number}"


def two_numbers(features: nn.Sequential) -> Iterator[str]:
    """Names of the convolutions and pools of a VGG network: conv1_1, conv1_2, pool1, conv2_1, ..."""
    block, number = 1, 0
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            number += 1
            yield f"conv{block}_{number}"
        elif isinstance(layer, nn.MaxPool2d):
            yield f"pool{block}"
            block, number = block + 1, 0


def named_chain(network: nn.Module, size: int, names: Iterator[str], named: Sequence[str]) -> list[ChainStage]:
    """A network of `features`, `avgpool` and `classifier` as stages: convolution and ReLU, pools, fc6, fc7, fc8."""
    layers: dict[str, nn.Sequential] = {}
    for layer in network.features:  # type: ignore[union-attr]
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            layers[next(names)] = nn.Sequential(layer)
        else:
            next(reversed(layers.values())).append(layer)
    next(reversed(layers.values())).append(network.avgpool)  # type: ignore[arg-type]
    waiting: list[nn.Module] = [nn.Flatten()]
    for layer in network.classifier:  # type: ignore[union-attr]
        if isinstance(layer, nn.Linear):
            layers[f"fc{6 + sum(name.startswith('fc') for name in layers)}"] = nn.Sequential(*waiting, layer)
            waiting = []
        elif isinstance(layer, nn.ReLU):
            next(reversed(layers.values())).append(layer)
        else:
            waiting.append(layer)  # dropout in front of a linear layer
    if absent := [name for name in named if name not in layers]:
        raise unknown("layer", absent[0], layers)
    return with_shapes(layers, size)


@torch.no_grad()
def with_shapes(layers: Mapping[str, nn.Module], size: int) -> list[ChainStage]:
    """Stages of layers that follow each other, with the shapes of what they give."""
    stages, value = [], torch.zeros(1, 3, size, size)
    for name, layer in layers.items():
        for part in layer.modules():
            if isinstance(part, nn.ReLU):
                part.inplace = False
        value = layer.eval()(value)
        last = list(layer.modules())[-1]
        pool = isinstance(last, nn.MaxPool2d | nn.AdaptiveAvgPool2d)
        rectified = pool or isinstance(last, nn.ReLU | nn.LocalResponseNorm)  # as these follow a ReLU here
        stages.append(ChainStage(name, layer, tuple(value.shape[1:]), rectified, pool))
    return stages


@cache
def builders() -> tuple[str, ...]:
    """The names of torchvision's classifiers."""
    models = torchvision().models
    return tuple(models.list_models(module=models))


def _transforms(builder: str) -> Any:
    """What torchvision does to images before a network sees them; of networks without weights the usual."""
    known = torchvision().models.get_model_weights(builder)
    return known.DEFAULT.transforms() if len(known) else _Usual()


class _Usual:
    crop_size, mean, std = (224,), MEAN, STD


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performers."""
    for cls in (TorchvisionNetwork, Alexnet, Vgg16, Vgg19):
        register(cls)
