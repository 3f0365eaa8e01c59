"""The base of the floors that give maps, and the geometry of these maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from partbench import Control, Explainer, Explanation, Images, ReceptiveField, TrainingTask
from partbench_plugins.applicability import fitted, require_layers


class MapGeometry(NamedTuple):
    """A task and the geometry of the maps of a layer: numbers of cells, receptive field, side of the image in px."""

    task: TrainingTask
    height: int
    width: int
    grid: ReceptiveField
    pixels: int

    @staticmethod
    def of(task: TrainingTask, layer: str) -> MapGeometry:
        """The geometry of a layer, from one run of the performer. Raises NotApplicable where it lacks the layer."""
        require_layers(task, layer)
        pixels = task.performer.input_size
        blank = task.performer.activations(torch.zeros(1, 3, pixels, pixels), [layer])[layer]
        height, width = blank.shape[2:]
        return MapGeometry(task, height, width, task.performer.receptive_field(layer), pixels)


@dataclass
class Floor(Explainer):
    """Base of the floors with maps. Scores are the largest values of the maps; contributions are the scores.

    A subclass draws the maps. It sees the size of the maps of a layer, never their values.

    layer: maps have as many cells as those of this layer.
    """

    layer: str = "target"
    _geometry: MapGeometry | None = field(init=False, repr=False, compare=False, default=None)

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned. Raises NotApplicable where the performer lacks the layer."""
        self._geometry = MapGeometry.of(task, self.layer)

    def control(self) -> Control:
        """A floor."""
        return "floor"

    def deterministic(self) -> bool:
        """Maps that are not drawn at random are the same for all seeds."""
        return True

    def explain(self, images: Images) -> Explanation:
        """The maps of the images, their maxima as scores, and contributions."""
        geometry = fitted(self._geometry)
        maps = self.drawn(images, geometry).to(geometry.task.device)
        scores = maps.amax((2, 3))
        return Explanation(maps, grid=self.grid(geometry), scores=scores, contributions=self.contributions(scores))

    def drawn(self, images: Images, geometry: MapGeometry) -> Float[Tensor, "n k h w"]:
        """The maps of the images, >= 0."""
        raise NotImplementedError

    def grid(self, geometry: MapGeometry) -> ReceptiveField | None:
        """Where the cells lie: at the receptive fields of the layer. None for cells that tile the image."""
        return geometry.grid

    def contributions(self, scores: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The contributions of the concepts."""
        return scores
