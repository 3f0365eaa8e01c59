"""The two tracks of the encoder and the decoder (explainer auto-encoder, section 3.1, Figure 2).

interpretable: conv-interp-1, ReLU, mask, conv-interp-2, (batch norm,) ReLU, pool, mask, norm
ordinary:      conv-ordin, (batch norm,) ReLU, pool, norm
x_enc = p x_interp + (1 - p) x_ordin, then fc-dec-1, ReLU, fc-dec-2, ReLU.

The paper does not say where the interpretable track is pooled: its sizes need it, the order is that of the authors'
interpretable CNNs. All convolutions have as many filters as the top convolution of the performer: it is what
conv-interp-1 and fc-dec-1 start from.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from partbench import NotApplicable, PartSettings, Performer, ReceptiveField, receptive_field
from partbench_plugins.autoencoder.mixture_loss import MixedParts
from partbench_plugins.autoencoder.norm import MagnitudeNorm, Reduce

Start = Literal["he", "published", "performer"]
ROLES = ("target", "top_conv", "fc1", "fc2", "logits")
Maps = Float[Tensor, "b c n n"]


@dataclass(frozen=True)
class Design:
    """How the network is built.

    parts: of both interpretable convolutions. start: of conv-interp-2 and conv-ordin: random as in the paper, "he" or
    N(0, 0.01^2) as "published" for interpretable CNNs, or from the "performer" (ours): conv-ordin a copy of its top
    convolution, conv-interp-2 the identity. norm_reduce: see MagnitudeNorm. batch_norm: of conv-interp-2 and
    conv-ordin, before their ReLU (ours); a start from the performer has none: its copies would not be the performer's.
    """

    parts: PartSettings
    start: Start = "he"
    norm_reduce: Reduce = "sum"
    batch_norm: bool = False


class Reconstruction(NamedTuple):
    """What the network makes of b images: x_interp (masked, >= 0), x_ordin, and the decoder's two features."""

    maps: Float[Tensor, "b c n n"]
    ordinary: Float[Tensor, "b c n n"]
    fc1: Float[Tensor, "b d"]
    fc2: Float[Tensor, "b e"]


class Stages(NamedTuple):
    """A performer above its target layer: the top convolution, the pools on it, what leads to fc1, and on to fc2."""

    top: nn.Module
    pool: nn.Sequential
    first: nn.Sequential
    second: nn.Sequential


def stages(performer: Performer) -> Stages:
    """Raises NotApplicable unless there is one convolution above the target layer, and two features above that."""
    missing = [role for role in ROLES if not performer.has(role)]
    if missing:
        raise NotApplicable(f"{performer.name} has no layer '{missing[0]}'")
    names = list(performer.stages)
    _, top, fc1, fc2, _ = places = [names.index(performer.layer(role)) for role in ROLES]
    if any(above <= below for below, above in pairwise(places)):
        raise NotApplicable(f"the layers of {performer.name} are not in the order {', '.join(ROLES)}")
    segment = performer.segment("target", "top_conv")
    convolutions = sum(isinstance(module, nn.Conv2d) for module in segment.modules())
    if len(segment) != 1 or convolutions != 1:
        found = f"{len(segment)} stages and {convolutions} convolutions"
        raise NotApplicable(f"{performer.name} has {found} from 'target' to 'top_conv', expected one convolution")
    above = [performer.stages[name] for name in names[top + 1 : fc1 + 1]]
    flat = next((i for i, stage in enumerate(above) if _flattens(stage)), len(above) - 1)
    second = [performer.stages[name] for name in names[fc1 + 1 : fc2 + 1]]
    return Stages(segment[0], nn.Sequential(*above[:flat]), nn.Sequential(*above[flat:]), nn.Sequential(*second))


class ExplainerNetwork(nn.Module):
    """Encoder and decoder, of which conv-interp-1, fc-dec-1 and fc-dec-2 start as copies of the performer's layers.

    `categories` and `images` are how many of them it will be trained on. Copied layers stay in evaluation mode: their
    dropout and batch norm were for the training of the performer.
    """

    def __init__(self, performer: Performer, design: Design, *, categories: int, images: int) -> None:
        super().__init__()
        self.interp_1, self.pool, self.fc_dec_1, self.fc_dec_2 = (copy.deepcopy(s) for s in stages(performer))
        below, cells, pooled, filters = self._sizes(performer)
        self.interp_1_parts = design.parts.layer(filters, cells, categories, images)
        self.interp_2 = _convolution(filters, filters, design)
        self.interp_2_parts = MixedParts(design.parts.layer(filters, pooled, categories, images))
        self.interp_norm = MagnitudeNorm(filters, design.norm_reduce)
        copied = design.start == "performer"
        self.ordinary = copy.deepcopy(self.interp_1) if copied else _convolution(below, filters, design)
        self.ordinary_norm = MagnitudeNorm(filters, design.norm_reduce)
        self.w_p = nn.Parameter(torch.zeros(()))
        self.requires_grad_(True)
        self.to(performer.device)

    @property
    def decoder_weights(self) -> list[nn.Parameter]:
        """The weights of fc-dec-1 and fc-dec-2, without their biases; they start as the performer has them."""
        layers = (self.fc_dec_1, self.fc_dec_2)
        return [p for layer in layers for name, p in layer.named_parameters() if not name.endswith("bias")]

    @property
    def share(self) -> Float[Tensor, ""]:
        """p = sigmoid(w_p): how much of x_enc comes from the interpretable track, in (0, 1)."""
        return self.w_p.sigmoid()

    def train(self, mode: bool = True) -> Self:
        """Set training mode of the norms and part layers only; copied layers stay in evaluation mode."""
        super().train(mode)
        for copied in (self.interp_1, self.pool, self.fc_dec_1, self.fc_dec_2):
            copied.eval()
        return self

    def start(self, epoch: int) -> None:
        """Begin an epoch, counted from 1; at 0 there are neither masks nor filter loss."""
        for parts in (self.interp_1_parts, self.interp_2_parts.parts):
            parts.start(epoch)

    def forward(self, z: Tensor, labels: Int[Tensor, "b"] | None = None) -> Reconstruction:
        """From activations at the target layer (b, ...). Labels are for training: -1 for images of no category."""
        found, ordinary = self._pooled(z, labels)
        counted = slice(0) if labels is None else labels >= 0
        ordinary = self.ordinary_norm(ordinary, ordinary[counted])
        found = self.interp_norm(found, self.interp_2_parts.mask(found[counted]))  # scaling moves no mask
        maps = self.interp_2_parts(found, ordinary, self.share, labels)
        return Reconstruction(maps, ordinary, *self.decode(maps, ordinary))

    def decode(self, maps: Maps, ordinary: Maps) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b e"]]:
        """The features at fc-dec-1 and fc-dec-2 that follow from the two tracks."""
        first = self.fc_dec_1(torch.lerp(ordinary, maps, self.share))
        return first, self.fc_dec_2(first)

    def unmasked(self, z: Tensor) -> tuple[Maps, Maps]:
        """x_interp before its mask, and the masks in [0, 1], a constant factor to it."""
        maps = self.interp_norm(self._pooled(z)[0]).detach()
        with torch.enable_grad():
            leaf = maps.clone().requires_grad_()
            return maps, torch.autograd.grad(self.interp_2_parts.mask(leaf).sum(), leaf)[0]

    def grid(self, performer: Performer) -> ReceptiveField:
        """Where a cell of the maps lies on the image."""
        layers = (performer.segment("images", "target"), self.interp_1, self.interp_2, self.pool)
        return receptive_field(nn.Sequential(*layers), performer.input_size)

    def _pooled(self, z: Tensor, labels: Int[Tensor, "b"] | None = None) -> tuple[Maps, Maps]:
        found = self.interp_2(self.interp_1_parts(self.interp_1(z), labels))
        return self.pool(found), self.pool(self.ordinary(z))

    def _sizes(self, performer: Performer) -> tuple[int, int, int, int]:
        """Channels of z, cells along a side of the top convolution's maps, the same when pooled, and its filters."""
        with torch.no_grad():
            blank = torch.zeros(1, 3, performer.input_size, performer.input_size)
            z = performer.activations(blank, ["target"])["target"]
            maps = self.interp_1(z)
            pooled = self.pool(maps)
        if z.shape[2:] != maps.shape[2:] or any(m.ndim != 4 or m.shape[2] != m.shape[3] for m in (maps, pooled)):
            sizes = ", ".join(str(tuple(m.shape[1:])) for m in (z, maps, pooled))
            raise NotApplicable(f"target, top_conv and the pool of {performer.name} are {sizes}, expected square maps, "
                                "the first two of the same size")  # fmt: skip
        return z.shape[1], maps.shape[2], pooled.shape[2], maps.shape[1]


def _flattens(stage: nn.Module) -> bool:
    return any(isinstance(module, nn.Flatten | nn.Linear) for module in stage.modules())


def _convolution(channels: int, filters: int, design: Design) -> nn.Sequential:
    layer = nn.Conv2d(channels, filters, 3, padding=1)
    if design.start == "performer":
        nn.init.dirac_(layer.weight)
    elif design.start == "he":
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    else:
        nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    normed = design.batch_norm and design.start != "performer"
    return nn.Sequential(layer, *([nn.BatchNorm2d(filters)] if normed else []), nn.ReLU())
