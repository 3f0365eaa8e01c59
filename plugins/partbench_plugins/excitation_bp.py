"""Excitation Backprop of the explained logit itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from partbench import Explainer, Explanation, Images, TrainingTask, hookimpl
from partbench_plugins.applicability import fitted, require_layers, require_one_logit
from partbench_plugins.unit_maps import UnitMaps


@dataclass
class ExcitationBackprop(Explainer):
    """One concept: the explained logit, with its c-MWP at `read_layer` as the map and its value as the score.

    Source: Zhang et al., "Top-down neural attention by Excitation Backprop", ECCV 2016; a baseline of SRAE
    (Qi, Khorram and Li, "Embedding Deep Networks into Visual Explanations", section 4.2).
    It predicts no logit and gives no contributions.

    read_layer: role or name of the layer at which the map is read. The paper reads at the image.
    """

    name: ClassVar[str] = "excitation_bp"
    read_layer: str = "target"
    _unit_maps: UnitMaps | None = field(init=False, repr=False, compare=False, default=None)

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned. Raises NotApplicable where all logits are explained or a layer is missing."""
        target = require_one_logit(task)
        require_layers(task, "logits", self.read_layer)
        self._unit_maps = UnitMaps(task, self.read_layer, "logits", units=[target])

    def deterministic(self) -> bool:
        """Nothing is drawn."""
        return True

    def explain(self, images: Images) -> Explanation:
        """The logit and (lazily) its map."""
        unit_maps = fitted(self._unit_maps)
        logit = unit_maps.task.explained(images)
        return Explanation(unit_maps.later(images), grid=unit_maps.grid, scores=logit[:, None])


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(ExcitationBackprop)
