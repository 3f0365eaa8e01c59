"""The performer's own filters as an explainer: the ordinary baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from partbench import Control, Explainer, Explanation, Images, ReceptiveField, TrainingTask, default_from, hookimpl
from partbench_plugins.applicability import fitted, require_layers
from partbench_plugins.interp_cnn.interp_cnn import PROFILES, InterpCnn


@dataclass
class TopConv(Explainer):
    """The filters of a convolutional layer of the performer: maps are their activations (>= 0), scores the maxima.

    Source: the ordinary CNN of Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", section 5, which looks
    at the top convolutional layer. Its logits are the performer's.

    layer: a role or the name of a layer whose output is >= 0.
    network: "performer", or "ordinary": the network of `interp_cnn`, which is one convolution deeper, trained in the
        same way without masks and without filter loss. `layer` is then ignored.
    profile: of `interp_cnn`, the settings that the ordinary network is trained with.
    after_pool: the ordinary network's maps are read after the pool on its added convolution, as are those of
        `interp_cnn` with `mask_after_pool`; by default where the profile does so.
    """

    name: ClassVar[str] = "top_conv"
    layer: str = "top_conv"
    network: Literal["performer", "ordinary"] = "performer"
    profile: Literal["stable", "paper", "released"] = "stable"
    after_pool: bool = default_from(lambda given: bool(PROFILES[given.profile]["mask_after_pool"]))
    _fitted: tuple[TrainingTask, ReceptiveField] | None = field(init=False, repr=False, compare=False, default=None)
    _ordinary: InterpCnn | None = field(init=False, repr=False, compare=False, default=None)

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned, unless the network is "ordinary". Raises NotApplicable where there is no such layer."""
        if self.network == "ordinary":
            self._ordinary = InterpCnn(**self._ordinary_options)
            self._ordinary.fit(task)
            return
        require_layers(task, self.layer)
        self._fitted = task, task.performer.receptive_field(self.layer)

    def builds_on(self, task: TrainingTask) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """The ordinary network is an interpretable CNN without masks and filter loss."""
        return [(InterpCnn.name, self._ordinary_options)] if self.network == "ordinary" else []

    @property
    def _ordinary_options(self) -> dict[str, Any]:
        return {"profile": self.profile, "mask": False, "loss": False, "mask_after_pool": self.after_pool}

    def control(self) -> Control:
        """A baseline of explainers that train filters."""
        return "baseline"

    def deterministic(self) -> bool:
        """The performer's filters are given; an ordinary network is trained."""
        return self.network == "performer"

    def explains(self, task: TrainingTask) -> tuple[str, Mapping[str, Any]] | None:
        """The ordinary network."""
        return (InterpCnn.name, self._ordinary_options) if self.network == "ordinary" else None

    def explain(self, images: Images) -> Explanation:
        """Activations of the filters, their spatial maxima, and the logits of their network."""
        if self._ordinary is not None:
            return self._ordinary.explain(images)
        task, grid = fitted(self._fitted)
        maps = images.activations(self.layer)
        logits = task.category_logits(images) if task.target is None else task.explained(images)
        return Explanation(maps, grid=grid, scores=maps.amax((2, 3)), logits=logits, explained=logits)


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(TopConv)
