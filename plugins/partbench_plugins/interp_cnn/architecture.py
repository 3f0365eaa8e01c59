"""The interpretable version of a performer: its top convolution, a new one on it, and fully-connected layers.

Source: Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", section 5, "Four types of CNNs": what is above
the top convolutional layer is dropped, a convolution of as many filters is added, and both are made interpretable.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from partbench import NotApplicable, PartLayer, PartSettings, Performer, ReceptiveField, receptive_field

MOST_FILTERS = 512  # of the added convolution, as in the largest network of the paper


class PartNetworkOutputs(NamedTuple):
    """What the network makes of b images: the masked maps of the added convolution, and the logits."""

    maps: Float[Tensor, "b c n n"]
    logits: Float[Tensor, "b o"]


@dataclass(frozen=True)
class PartDesign:
    """What the network is made of.

    parts: how filters are made to follow parts. loss_layers, mask_layers: which convolutions have the filter loss and
    the masks: the "added" one, or "both" (the top convolution too). mask_after_pool: the part layer of the added
    convolution stands after the pool on it. start: of convolutions and fully-connected layers, "he" (He et al.),
    "published" (N(0, 0.01^2)), or "performer", which is "he" but for the top convolution, a copy of the performer's.
    batch_norm: between convolutions and their ReLU. filters: of the added convolution, 0 for those of the top one.
    """

    parts: PartSettings
    loss_layers: Literal["added", "both"] = "added"
    mask_layers: Literal["added", "both"] = "added"
    mask_after_pool: bool = False
    start: Literal["he", "published", "performer"] = "he"
    batch_norm: bool = True
    dropout: float = 0.5
    filters: int = 0
    trained_trunk: bool = False

    @property
    def top_parts(self) -> PartSettings:
        """The settings of the top convolution's part layer."""
        return replace(
            self.parts, loss=self.parts.loss and self.loss_layers == "both",
            mask=self.parts.mask and self.mask_layers == "both",
        )  # fmt: skip


class PartNetwork(nn.Module):
    """The layers of a performer from layer `base` on, made anew for `outputs` logits.

    The two part layers stand after the ReLU of `top` and of `added`, the second one after the pool with
    `mask_after_pool` (as the released code has it). `trunk` is what lies below: empty if frozen. Raises NotApplicable
    for a performer without a top convolution whose maps are square.
    """

    def __init__(self, performer: Performer, outputs: int, design: PartDesign, *, images: int) -> None:
        super().__init__()
        below, top, pool, widths = top_conv_surroundings(performer)
        self.base, self.design = below, design
        self.trunk = copy.deepcopy(performer.segment("images", below)) if design.trained_trunk else nn.Sequential()
        self.top = with_batch_norm(copy.deepcopy(top)) if design.batch_norm else copy.deepcopy(top)
        with torch.no_grad():
            blank = torch.zeros(1, 3, performer.input_size, performer.input_size)
            maps = top(performer.activations(blank, [below])[below])
        channels, cells = _square(maps, performer)
        filters = design.filters or min(channels, MOST_FILTERS)
        added = nn.Sequential(nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU())
        self.added = (with_batch_norm(added) if design.batch_norm else added).to(maps.device)
        self.pool = copy.deepcopy(pool)
        with torch.no_grad():
            pooled = self.pool(maps.new_zeros(1, filters, cells, cells))
        self.head = classifier([pooled[0].numel(), *widths, outputs], design.dropout)
        for layer in (self.added, self.head, *([] if design.start == "performer" else [self.top])):
            layer.apply(_start_published if design.start == "published" else _start)
        added_cells = _square(pooled, performer)[1] if design.mask_after_pool else cells
        self.top_parts = design.top_parts.layer(channels, cells, outputs, images)
        self.parts = design.parts.layer(filters, added_cells, outputs, images)
        self.requires_grad_(True)

    @property
    def part_layers(self) -> tuple[PartLayer, PartLayer]:
        """Those of the top and of the added convolution."""
        return self.top_parts, self.parts

    def forward(self, values: Tensor, labels: Int[Tensor, "b"] | None = None) -> PartNetworkOutputs:
        """From images, or from activations at `base` if the trunk is frozen; `labels` are for the filter loss."""
        maps = self.parts(self.unmasked(values, labels), labels)
        return PartNetworkOutputs(maps, self.classify(maps))

    def unmasked(self, values: Tensor, labels: Int[Tensor, "b"] | None = None) -> Float[Tensor, "b c n n"]:
        """What the part layer of the added convolution takes."""
        maps: Tensor = self.added(self.top_parts(self.top(self.trunk(values)), labels))
        return self.pool(maps) if self.design.mask_after_pool else maps

    def masks(self, maps: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c n n"]:
        """The masks in [0, 1] that the added convolution's part layer puts on these maps: a constant factor to it."""
        with torch.enable_grad():
            maps = maps.detach().requires_grad_()
            return torch.autograd.grad(self.parts(maps).sum(), maps)[0]

    @property
    def above(self) -> nn.Sequential:
        """The layers above the masked maps, up to the logits."""
        return nn.Sequential(self.head) if self.design.mask_after_pool else nn.Sequential(self.pool, self.head)

    def classify(self, maps: Float[Tensor, "b c n n"]) -> Float[Tensor, "b o"]:
        """The logits that follow from masked maps."""
        logits: Tensor = self.above(maps)
        return logits

    def grid(self, performer: Performer) -> ReceptiveField:
        """Where a cell of the added convolution's maps lies on the image."""
        layers = [performer.segment("images", self.base), self.top, self.added]
        layers += [self.pool] if self.design.mask_after_pool else []
        return receptive_field(nn.Sequential(*layers), performer.input_size)


class TopConvSurroundings(NamedTuple):
    """A performer around its top convolution: name of the layer below, that stage, the pools above, hidden widths."""

    below: str
    top: nn.Module
    pool: nn.Sequential
    widths: list[int]


def top_conv_surroundings(performer: Performer) -> TopConvSurroundings:
    """Raises NotApplicable where there is no top convolution with something below it and a linear layer above."""
    if not performer.has("top_conv"):
        raise NotApplicable(f"{performer.name} has no layer 'top_conv'")
    names = list(performer.stages)
    place = names.index(performer.layer("top_conv"))
    above = [performer.stages[name] for name in names[place + 1 :]]
    linear = [[m for m in stage.modules() if isinstance(m, nn.Linear)] for stage in above]
    if place == 0 or not any(linear):
        raise NotApplicable(f"{performer.name} has no layer below its top convolution, or no linear layer above")
    first = next(i for i, found in enumerate(linear) if found)
    widths = [layer.out_features for found in linear for layer in found]
    return TopConvSurroundings(
        names[place - 1], performer.stages[names[place]], nn.Sequential(*above[:first]), widths[:-1]
    )


def classifier(widths: list[int], dropout: float) -> nn.Sequential:
    """Fully-connected layers on flattened maps, with ReLU and dropout between them."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])


def with_batch_norm(stage: nn.Module) -> nn.Sequential:
    """A convolutional stage with batch norm after each convolution, on its device."""
    layers: list[nn.Module] = []
    for layer in stage.children() if isinstance(stage, nn.Sequential) else [stage]:
        layers.append(layer)
        if isinstance(layer, nn.Conv2d):
            layers.append(nn.BatchNorm2d(layer.out_channels).to(layer.weight.device))
    return nn.Sequential(*layers)


def _square(maps: Tensor, performer: Performer) -> tuple[int, int]:
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3]:
        raise NotApplicable(f"the maps of {performer.name} to be masked are {tuple(maps.shape)}, expected square maps")
    return maps.shape[1], maps.shape[2]


def _start(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _start_published(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.normal_(layer.weight, std=0.01)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
