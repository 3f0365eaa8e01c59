"""From the maps of an explainer auto-encoder to the logits of the explained categories."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench import TrainingTask
from partbench_plugins.autoencoder.network import ExplainerNetwork

Maps = Float[Tensor, "n k h w"]


class DecoderHead(nn.Module):
    """From maps of the interpretable track to logits of the explained categories (n, c).

    The ordinary track of these n images is fixed. The layers above fc2 are those of the performer.
    """

    def __init__(self, network: ExplainerNetwork, ordinary: Maps, task: TrainingTask) -> None:
        super().__init__()
        self.network, self.ordinary, self.targets = network, ordinary, list(task.targets)
        self.above = task.performer.segment("fc2", "logits")

    def forward(self, maps: Maps) -> Float[Tensor, "n c"]:
        """The logits."""
        logits: Tensor = self.above(self.network.decode(maps, self.ordinary)[1])
        return logits[:, self.targets]

    @torch.no_grad()
    def without(self, maps: Maps, concepts: list[int]) -> Float[Tensor, "n c"]:
        """The logits with the maps of these filters set to 0."""
        ablated = maps.clone()
        ablated[:, concepts] = 0
        logits: Tensor = self(ablated)
        return logits
