"""An explainer: a sparse auto-encoder of which each cell of a layer activates at most k units."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from torch.nn import functional

from partbench import ConceptExplainer, hookimpl

BATCH = 512  # cells


@dataclass
class TopkSae(ConceptExplainer):
    """Concepts are the units of an auto-encoder of cells, x ~ z D + b; of z = ReLU((x - b) E + c) the k largest remain.

    Source: Gao et al., "Scaling and evaluating sparse autoencoders", 2024, section 2.3: tied start, directions of unit
    length, b begins with the mean. Without their auxiliary loss for units that are never active.
    """

    name: ClassVar[str] = "topk_sae"
    layer: str = "target"
    units: Annotated[int, Ge(1)] = 64
    active: Annotated[int, Ge(1)] = 4
    steps: Annotated[int, Ge(1)] = 300
    rate: Annotated[float, Gt(0)] = 3e-3

    def learn(self, activations: torch.Tensor, seed: int) -> None:
        """Adam on the squared error, relative to the variance of the activations."""
        generator = torch.Generator().manual_seed(seed)
        self._mean, self._scale = activations.mean(0), activations.std().clamp(min=1e-6)
        start = functional.normalize(torch.randn(self.units, activations.shape[1], generator=generator), dim=1)
        self._weights = [start.T.clone(), torch.zeros(self.units), start, torch.zeros(activations.shape[1])]
        for weight in self._weights:
            weight.requires_grad_()
        optimiser = torch.optim.Adam(self._weights, self.rate)
        for _ in range(self.steps):
            cells = activations[torch.randint(len(activations), (BATCH,), generator=generator)]
            error = (self.decode(self.encode(cells)) - cells) / self._scale
            optimiser.zero_grad()
            error.square().mean().backward()
            optimiser.step()
            with torch.no_grad():
                self._weights[2].copy_(functional.normalize(self._weights[2], dim=1))
        for weight in self._weights:
            weight.requires_grad_(False)

    def encode(self, activations: torch.Tensor) -> torch.Tensor:
        """Codes (m, units), at most `active` of them above 0 in each cell."""
        encoder, bias, _, shift = (weight.to(activations.device) for weight in self._weights)
        centred = (activations - self._mean.to(activations)) / self._scale.to(activations)
        codes = ((centred - shift) @ encoder + bias).relu()
        kept = codes.topk(min(self.active, self.units), dim=1)
        return torch.zeros_like(codes).scatter(1, kept.indices, kept.values)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Activations (m, C)."""
        directions, shift = self._weights[2].to(codes), self._weights[3].to(codes)
        return (codes @ directions + shift) * self._scale.to(codes) + self._mean.to(codes)


@hookimpl
def register_explainers(register):
    register(TopkSae)
