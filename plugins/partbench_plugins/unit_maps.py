"""Maps of units of vector layers, computed by Excitation Backprop at a convolutional layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench import ExcitationBP, Images, NoContrast, ReceptiveField, TrainingTask


class UnitMaps:
    """c-MWP maps of `units` of the layer `top` of a performer, or of an encoder on top of it, read at `layer`.

    `grid` is the geometry of that layer. Units that no Linear layer makes, such as pooled features, have inputs of one
    sign and nothing to contrast: their maps are those of Excitation Backprop without contrast.
    """

    def __init__(
        self,
        task: TrainingTask,
        layer: str,
        top: str,
        *,
        encoder: nn.Module | None = None,
        units: Sequence[int] | None = None,
    ) -> None:
        above = [task.performer.segment(layer, top), *([] if encoder is None else [encoder])]
        self.task, self.layer, self.units = task, layer, units
        self.grid: ReceptiveField = task.performer.receptive_field(layer)
        self._backprop = ExcitationBP(above)

    @torch.no_grad()
    def maps(self, images: Images) -> Float[Tensor, "n t h w"]:
        """Maps >= 0 of a batch, in the units of a probability."""
        x = images.activations(self.layer)
        try:
            return self._backprop.contrastive_maps(x, self.units)
        except NoContrast:
            return self._backprop.maps(x, self.units)

    def later(self, images: Images) -> Callable[[], Float[Tensor, "n t h w"]]:
        """A function that computes the maps of a batch."""
        return partial(self.maps, images)
