"""The network that srae, nn, sae and cae share: an encoder to a few x-features, a linear predictor, a decoder.

Source: SRAE, sections 2.3 and 4.2 (layers of 800, 100 and n units). Where the paper is silent, the authors' training
code decides: ReLU after every layer, x-layer and reconstruction included; dropout after the first layer; a predictor
with a bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Embedded(NamedTuple):
    """What the network makes of b vectors Z: x-features E >= 0, the predicted logit, Z reconstructed (or None)."""

    features: Float[Tensor, "b n"]
    predicted: Float[Tensor, "b"]
    reconstruction: Float[Tensor, "b d"] | None


class XLayerNetwork(nn.Module):
    """`widths` run from the dimension of Z over the hidden layers to the number of x-features."""

    def __init__(self, widths: Sequence[int], *, dropout: float = 0.0, decodes: bool = True) -> None:
        super().__init__()
        self.encoder = _layers(widths)
        self.encoder.insert(2, nn.Dropout(dropout))
        self.decoder = _layers(widths[::-1]) if decodes else None
        self.predictor = nn.Linear(widths[-1], 1)

    @property
    def encoding(self) -> list[nn.Linear]:
        """The linear layers of the encoder; the last makes the x-features."""
        return [layer for layer in self.encoder if isinstance(layer, nn.Linear)]

    @property
    def decoding(self) -> list[nn.Linear]:
        """The linear layers of the decoder, from the x-features to Z."""
        return [layer for layer in self.decoder or () if isinstance(layer, nn.Linear)]

    def forward(self, z: Float[Tensor, "b d"]) -> Embedded:
        features = self.encoder(z)
        predicted = self.predictor(features).squeeze(1)  # (b,), never (b, 1)
        return Embedded(features, predicted, self.decoder(features) if self.decoder is not None else None)

    @torch.no_grad()
    def centre(self, z: Float[Tensor, "N d"], logits: Float[Tensor, "N"], *, signed: bool = True) -> None:
        """Start where every x-feature is active on part of the data and the predicted logit has the right mean.

        Z >= 0 points one way, so that x-features with a random start are often inactive on all images, without a
        gradient for ever. Their biases are set to make their mean before the ReLU 0. The predictor's weights start with
        alternate signs (all >= 0 unless `signed`): where chance gave all of them one sign, x-features died on all
        images that call for the other. Neither source does this.
        """
        self.eval()
        signs = torch.ones_like(self.predictor.weight)
        signs[:, 1::2] = -1 if signed else 1
        self.predictor.weight.copy_(self.predictor.weight.abs() * signs)
        self.encoding[-1].bias.sub_(self.encoder[:-1](z).mean(0))
        self.predictor.bias.add_((logits - self(z).predicted).mean())


def _layers(widths: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())))
