"""Absolute error of the predicted logit, relative to the range of the explained logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from partbench import Batch, Explanation, ImageMetric, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import pseudovalues_of_known, relative_deviation


@dataclass
class RelativeDeviation(ImageMetric):
    """Mean over images of |explained - predicted logit| / (max - min of the explained logit); lower is better.

    Source: additive explainer, section 4, "relative deviation". The range is that of the evaluated images.
    Dimensionless, 0 is perfect, above 1 where the prediction leaves the range. NaN where the explained logit is
    constant. The explained logit is the explanation's own where it gives one.

    The evidence of an image is the jackknife's: without it, the mean and the range may both change. That of an image at
    an end of the range is large, that of any other is close to its own deviation.
    """

    name = "relative_deviation"
    needs = ("logits",)
    images = "all"
    higher_is_better = False
    bounds = (0.0, float("inf"))

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """Both logits of each image. Raises NotApplicable where no single logit is explained, or none predicted."""
        predicted, explained = (value.numpy() for value in outputs.predicted_and_explained(explanation))
        return {"predicted": predicted, "explained": explained}

    def compute(self) -> dict[str, Scores]:
        """The relative deviation and its evidence."""
        predicted, explained = (np.ma.getdata(self.gathered(reading)) for reading in ("predicted", "explained"))
        value, left_out = relative_deviation(predicted, explained)
        evidence = pseudovalues_of_known(value, left_out, ~np.isnan(explained - predicted))
        return {self.name: Scores(value=value, images=self._ids, evidence=evidence)}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(RelativeDeviation)
