"""The floor of random maps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from partbench import Images, hookimpl
from partbench_plugins.controls.floor import Floor, MapGeometry


@dataclass
class RandomMaps(Floor):
    """`concepts` random maps an image, drawn from the image's id and the task's seed; scores are their maxima.

    A floor. Each map is exp of a Gaussian field of unit variance: > 0, with a few peaks. It does not depend on the
    batch. The scores are also the contributions.

    concepts: how many maps an image.
    smoothness: standard deviation of the blur of the field, in cells of `layer`; 0 for independent cells.
    """

    name: ClassVar[str] = "random_maps"
    concepts: Annotated[int, Ge(1)] = 5
    smoothness: Annotated[float, Ge(0)] = 1.5

    def deterministic(self) -> bool:
        """The maps are drawn from the seed."""
        return False

    def drawn(self, images: Images, geometry: MapGeometry) -> Float[Tensor, "n k h w"]:
        """The maps of the images, drawn from their ids."""
        rows, columns = (_blur(cells, self.smoothness) for cells in (geometry.height, geometry.width))
        noise = [self._noise(geometry, image_id) for image_id in images.ids]
        return (rows @ torch.stack(noise) @ columns.T).exp()

    def _noise(self, geometry: MapGeometry, image_id: str) -> Float[Tensor, "k h w"]:
        digest = hashlib.sha256(f"{geometry.task.seed}:{image_id}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        return torch.randn(self.concepts, geometry.height, geometry.width, generator=generator)


def _blur(cells: int, deviation: float) -> Float[Tensor, "cells cells"]:
    """Matrix of a Gaussian blur along one axis that keeps the variance of independent noise."""
    if deviation == 0:
        return torch.eye(cells)
    position = torch.arange(cells, dtype=torch.float32)
    kernel = torch.exp(-0.5 * ((position[:, None] - position[None, :]) / deviation) ** 2)
    return kernel / kernel.square().sum(1, keepdim=True).sqrt()


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    """This module's explainer."""
    register(RandomMaps)
