"""Maps that know nothing of the image: what a score is worth is seen beside theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from partbench import Batch, Explanation, InputError, ReceptiveField, Task, hookimpl
from partbench_plugins.applicability import fitted, require_layers


class Canvas(NamedTuple):
    """The maps of a layer without their content: cells, geometry, and side of the image in px."""

    task: Task
    height: int
    width: int
    grid: ReceptiveField
    pixels: int

    @staticmethod
    def of(task: Task, layer: str) -> Canvas:
        """Found by running the performer once. Raises NotApplicable where it lacks the layer."""
        require_layers(task, layer)
        pixels = task.performer.input_size
        blank = task.performer.activations(torch.zeros(1, 3, pixels, pixels), [layer])[layer]
        height, width = blank.shape[2:]
        return Canvas(task, height, width, task.performer.receptive_field(layer), pixels)


@dataclass
class RandomMaps:
    """`concepts` random maps an image, drawn from the image's id and the task's seed; scores are their maxima.

    Control: no explainer should score like it. Each map is exp of a Gaussian field of unit variance: > 0, with a few
    peaks. It is the same whatever batch the image comes in. Scores also pass for contributions, to no logit.

    smoothness: standard deviation of the blur of the field, in cells of `layer`; 0 for independent cells.
    """

    name: ClassVar[str] = "random_maps"
    concepts: int = 5
    smoothness: float = 1.5
    layer: str = "target"
    _canvas: Canvas | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.concepts < 1 or self.smoothness < 0:
            found = f"concepts is {self.concepts}, smoothness is {self.smoothness}"
            raise InputError(f"random_maps: {found}; expected at least 1 and at least 0")

    def fit(self, task: Task) -> None:
        """Nothing is learned."""
        self._canvas = Canvas.of(task, self.layer)

    def explain(self, batch: Batch) -> Explanation:
        """The maps that belong to the ids of a batch."""
        canvas = fitted(self._canvas)
        maps = torch.stack([self._draw(canvas, image_id) for image_id in batch.ids]).to(canvas.task.device)
        scores = maps.amax((2, 3))
        return Explanation(maps, grid=canvas.grid, scores=scores, contributions=scores)

    def _draw(self, canvas: Canvas, image_id: str) -> Float[Tensor, "k h w"]:
        digest = hashlib.sha256(f"{canvas.task.seed}:{image_id}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        noise = torch.randn(self.concepts, canvas.height, canvas.width, generator=generator)
        return (_blur(canvas.height, self.smoothness) @ noise @ _blur(canvas.width, self.smoothness).T).exp()


@dataclass
class CentreMap:
    """One map, the same for every image: a Gaussian bump at the centre of the image, 1 at its peak; the score is 1.

    Control: photographs are centred on their subject, so that location metrics reward standing still. The score also
    passes for a contribution, to no logit.

    spread: standard deviation of the bump, as a fraction of the side of the image.
    """

    name: ClassVar[str] = "centre_map"
    spread: float = 0.2
    layer: str = "target"
    _canvas: Canvas | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if not self.spread > 0:
            raise InputError(f"centre_map: spread is {self.spread}, expected a positive number")

    def fit(self, task: Task) -> None:
        """Nothing is learned."""
        self._canvas = Canvas.of(task, self.layer)

    def explain(self, batch: Batch) -> Explanation:
        """The bump, once per image."""
        canvas = fitted(self._canvas)
        rows, columns = (self._bump(canvas, cells) for cells in (canvas.height, canvas.width))
        bump = rows[:, None] * columns[None, :]
        maps = (bump / bump.max()).expand(len(batch), 1, -1, -1).to(canvas.task.device)
        scores = maps.amax((2, 3))
        return Explanation(maps, grid=canvas.grid, scores=scores, contributions=scores)

    def _bump(self, canvas: Canvas, cells: int) -> Float[Tensor, "cells"]:
        away = canvas.grid.centres(cells) - canvas.pixels / 2
        return torch.exp(-0.5 * (away / (self.spread * canvas.pixels)) ** 2)


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
