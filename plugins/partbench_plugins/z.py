"""Units of the first fully-connected layer as concepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge

from partbench import Explainer, Explanation, Images, NotApplicable, TrainingTask, hookimpl
from partbench_plugins.applicability import fitted, require_layers, require_one_logit
from partbench_plugins.unit_maps import UnitMaps


@dataclass
class Z(Explainer):
    """A sample of the units of Z, the performer's first fully-connected layer: scores Z_k, maps their c-MWP.

    Source: Qi, Khorram and Li, "Embedding Deep Networks into Visual Explanations", table 1, column Z: there, a mean
    over all 4096 units. Here `units` of them are drawn, with the task's seed, among those active on some training image
    of the category. They do not predict the logit, so there are no contributions.

    units: how many are drawn.
    read_layer: role or name of the layer at which maps are read.
    """

    name: ClassVar[str] = "z"
    units: Annotated[int, Ge(1)] = 32
    read_layer: str = "target"
    _unit_maps: UnitMaps | None = field(init=False, repr=False, compare=False, default=None)
    _drawn: list[int] = field(init=False, repr=False, compare=False, default_factory=list)

    def fit(self, task: TrainingTask) -> None:
        """Draw the units. Raises NotApplicable also where no unit is active."""
        require_one_logit(task)
        require_layers(task, "fc1", self.read_layer)
        z = task.activations("fc1").flatten(1)[task.positive(task.labels)]
        alive = torch.nonzero((z > 0).any(0)).flatten()
        if not len(alive):
            raise NotApplicable("no unit of fc1 is active on any training image of the category")
        order = torch.randperm(len(alive), generator=torch.Generator().manual_seed(task.random_seed(self.name)))
        self._drawn = sorted(alive[order[: self.units]].tolist())
        self._unit_maps = UnitMaps(task, self.read_layer, "fc1", units=self._drawn)

    def explain(self, images: Images) -> Explanation:
        """Activations and (lazily) maps of the drawn units."""
        unit_maps = fitted(self._unit_maps)
        scores = images.activations("fc1").flatten(1)[:, self._drawn]
        return Explanation(unit_maps.later(images), grid=unit_maps.grid, scores=scores)


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Z)
