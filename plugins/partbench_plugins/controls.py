"""Controls: maps that do not depend on what the image shows. A score is evidence only if it is better than theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, NamedTuple

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from partbench import Control, Explainer, Explanation, Images, ReceptiveField, TrainingTask, hookimpl
from partbench_plugins.applicability import fitted, require_layers


class MapGeometry(NamedTuple):
    """Geometry of the maps of a layer: numbers of cells, receptive field of a cell, side of the image in px."""

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
class RandomMaps(Explainer):
    """`concepts` random maps an image, drawn from the image's id and the task's seed; scores are their maxima.

    A floor. Each map is exp of a Gaussian field of unit variance: > 0, with a few
    peaks. It does not depend on the batch. The scores are also returned as contributions, so that metrics of
    contributions have a floor.

    smoothness: standard deviation of the blur of the field, in cells of `layer`; 0 for independent cells.
    """

    name: ClassVar[str] = "random_maps"
    concepts: Annotated[int, Ge(1)] = 5
    smoothness: Annotated[float, Ge(0)] = 1.5
    layer: str = "target"
    _geometry: MapGeometry | None = field(init=False, repr=False, compare=False, default=None)

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned."""
        self._geometry = MapGeometry.of(task, self.layer)

    def control(self) -> Control:
        """A floor."""
        return "floor"

    def explain(self, images: Images) -> Explanation:
        """The maps of the images, drawn from their ids."""
        geometry = fitted(self._geometry)
        maps = torch.stack([self._draw(geometry, image_id) for image_id in images.ids]).to(geometry.task.device)
        scores = maps.amax((2, 3))
        return Explanation(maps, grid=geometry.grid, scores=scores, contributions=scores)

    def _draw(self, geometry: MapGeometry, image_id: str) -> Float[Tensor, "k h w"]:
        digest = hashlib.sha256(f"{geometry.task.seed}:{image_id}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        noise = torch.randn(self.concepts, geometry.height, geometry.width, generator=generator)
        return (_blur(geometry.height, self.smoothness) @ noise @ _blur(geometry.width, self.smoothness).T).exp()


@dataclass
class CentreMap(Explainer):
    """One map, the same for every image: a Gaussian bump at the centre of the image, 1 at its peak; the score is 1.

    A floor. Photographs are centred on their subject, so that metrics of location reward maps that never move. The
    score is also returned as a contribution, so that metrics of contributions have a floor.

    spread: standard deviation of the bump, as a fraction of the side of the image.
    """

    name: ClassVar[str] = "centre_map"
    spread: Annotated[float, Gt(0)] = 0.2
    layer: str = "target"
    _geometry: MapGeometry | None = field(init=False, repr=False, compare=False, default=None)

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned."""
        self._geometry = MapGeometry.of(task, self.layer)

    def control(self) -> Control:
        """A floor."""
        return "floor"

    def explain(self, images: Images) -> Explanation:
        """The bump, once per image."""
        geometry = fitted(self._geometry)
        rows, columns = (self._bump(geometry, cells) for cells in (geometry.height, geometry.width))
        bump = rows[:, None] * columns[None, :]
        maps = (bump / bump.max()).expand(len(images), 1, -1, -1).to(geometry.task.device)
        scores = maps.amax((2, 3))
        return Explanation(maps, grid=geometry.grid, scores=scores, contributions=scores)

    def _bump(self, geometry: MapGeometry, cells: int) -> Float[Tensor, "cells"]:
        away = geometry.grid.centres(cells) - geometry.pixels / 2
        return torch.exp(-0.5 * (away / (self.spread * geometry.pixels)) ** 2)


def _blur(cells: int, deviation: float) -> Float[Tensor, "cells cells"]:
    """Matrix of a Gaussian blur along one axis that keeps the variance of independent noise."""
    if deviation == 0:
        return torch.eye(cells)
    position = torch.arange(cells, dtype=torch.float32)
    kernel = torch.exp(-0.5 * ((position[:, None] - position[None, :]) / deviation) ** 2)
    return kernel / kernel.square().sum(1, keepdim=True).sqrt()


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(RandomMaps)
    register(CentreMap)
