"""The performer's own filters: the ordinary baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from partbench import Batch, Explanation, ReceptiveField, Task, hookimpl
from partbench_plugins.applicability import fitted, require_layers


@dataclass
class TopConv:
    """The filters of a convolutional layer of the performer: maps are their activations (>= 0), scores the maxima.

    Source: the ordinary CNN of Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", section 5, which looks
    at the top convolutional layer. It does not depend on the explained category.

    layer: a role or the name of a layer whose output is >= 0.
    """

    name: ClassVar[str] = "top_conv"
    layer: str = "top_conv"
    _fitted: tuple[Task, ReceptiveField] | None = field(init=False, repr=False, compare=False, default=None)

    def fit(self, task: Task) -> None:
        """Nothing is learned. Raises NotApplicable where the performer lacks the layer."""
        require_layers(task, self.layer)
        self._fitted = task, task.performer.receptive_field(self.layer)

    def explain(self, batch: Batch) -> Explanation:
        """Activations of the filters and their spatial maxima."""
        task, grid = fitted(self._fitted)
        maps = task.activations(self.layer, batch)
        return Explanation(maps, grid=grid, scores=maps.amax((2, 3)))


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(TopConv)
