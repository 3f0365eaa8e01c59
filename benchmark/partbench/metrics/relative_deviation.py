"""The explainer's error as a share of the range of the performer's logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from partbench import Batch, Explanation, PerformerOutputs, Scores, hookimpl


@dataclass
class RelativeDeviation:
    """Mean over images of |explained - predicted logit| / (max - min of the explained logit); lower is better.

    Source: additive explainer, section 4, "relative deviation". The range is that of the evaluated images and is held
    fixed in the interval, for the extremes of a sample cannot be bootstrapped. Dimensionless, 0 is perfect, above 1
    where the prediction leaves the range. NaN where the explained logit is constant. The explained logit is the
    explanation's own where it gives one.
    """

    name: ClassVar[str] = "relative_deviation"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("logits",)
    images: ClassVar[Literal["positive", "all"]] = "all"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    unit: ClassVar[str] = "image"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _deviations: list[float] = field(init=False, default_factory=list, repr=False)
    _low: float = field(init=False, default=float("inf"), repr=False)
    _high: float = field(init=False, default=float("-inf"), repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where no single logit is explained, or none is predicted."""
        predicted, explained = (value.numpy() for value in outputs.predicted_and_explained(explanation))
        self._ids += batch.ids
        self._deviations += np.abs(explained - predicted).tolist()
        self._low, self._high = (
            np.fmin.reduce(explained, initial=self._low),
            np.fmax.reduce(explained, initial=self._high),
        )

    def compute(self) -> dict[str, Scores]:
        """The relative deviation of each image."""
        span = self._high - self._low
        deviations = np.array(self._deviations, dtype=float)
        values = deviations / span if span > 0 else np.full_like(deviations, np.nan)
        return {self.name: Scores(tuple(self._ids), values)}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(RelativeDeviation)
