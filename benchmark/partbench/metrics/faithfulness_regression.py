"""How far the explainer's logit is from the performer's: F_reg."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from partbench import Batch, Explanation, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import bootstrap


@dataclass
class FaithfulnessRegression:
    """F_reg: mean over images of |predicted - explained logit|, in logits; 0 is perfect, lower is better.

    Source: SRAE paper, section 4.1, metric (1a). The explained logit is the explanation's own where it gives one, else
    the task performer's. `@positive` is the same over images of the explained category, `@negative` the mean over all
    others: test sets hold far more negatives than positives, and a mean over both hides a failure on the positives.
    """

    name: ClassVar[str] = "faithfulness_regression"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("logits",)
    images: ClassVar[Literal["positive", "all"]] = "all"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    unit: ClassVar[str] = "image"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _deviations: list[float] = field(init=False, default_factory=list, repr=False)
    _positive: list[bool] = field(init=False, default_factory=list, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where no single logit is explained, or none is predicted."""
        predicted, explained = outputs.predicted_and_explained(explanation)
        deviations = (predicted - explained).abs()
        self._ids += batch.ids
        self._deviations += deviations.tolist()
        self._positive += outputs.positive.tolist()

    def compute(self) -> dict[str, Scores]:
        """A value per image, over all images and over the positive ones; the mean over the negative ones."""
        deviations, positive = np.array(self._deviations, dtype=float), np.array(self._positive, dtype=bool)
        shown = [name for name, chosen in zip(self._ids, positive, strict=True) if chosen]
        low, high = bootstrap(deviations[~positive])
        return {
            self.name: Scores(tuple(self._ids), deviations),
            f"{self.name}@positive": Scores(shown, deviations[positive]),
            f"{self.name}@negative": Scores(value=_mean(deviations[~positive]), low=low, high=high),
        }


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(FaithfulnessRegression)
