"""The network g that weighs the concepts, from feature maps."""

from __future__ import annotations

from typing import Literal

from torch import nn

from partbench import torchvision

WeightNetworkKind = Literal["small", "resnet152"]
SMALL_WIDTHS = (16, 32, 64, 128)


def weight_network(kind: WeightNetworkKind, channels: int, concepts: int) -> nn.Sequential:
    """From feature maps (n, channels, h, w) to a number for each concept (n, concepts), of either sign.

    "resnet152" is as published (additive explainer, section 4): ResNet-152 on feature maps, without its first max-pool
    and last average-pool, and a 1 x 1 convolution. "small" has its stages, each of one basic block, a sixteenth of
    its width and a first kernel of 3: for CPUs. Maps of 16 cells a side or less end in a single cell; what more there
    is (VGG-S of the paper) is averaged.
    """
    layers, width = _published(channels) if kind == "resnet152" else _small(channels)
    return nn.Sequential(*layers, nn.Conv2d(width, concepts, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _published(channels: int) -> tuple[list[nn.Module], int]:
    whole = torchvision().models.resnet152(weights=None)
    first = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    layers = [first, whole.bn1, whole.relu, whole.layer1, whole.layer2, whole.layer3, whole.layer4]
    return layers, whole.fc.in_features


def _small(channels: int) -> tuple[list[nn.Module], int]:
    block = torchvision().models.resnet.BasicBlock
    width = SMALL_WIDTHS[0]
    first = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
    layers: list[nn.Module] = [first, nn.BatchNorm2d(width), nn.ReLU(), block(width, width)]
    for wider in SMALL_WIDTHS[1:]:
        shortcut = nn.Sequential(nn.Conv2d(width, wider, 1, stride=2, bias=False), nn.BatchNorm2d(wider))
        layers.append(block(width, wider, stride=2, downsample=shortcut))
        width = wider
    return layers, width
