"""F_reg: mean absolute error of the predicted logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from partbench import Batch, Explanation, ImageMetric, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import bootstrap, mean_of_known


@dataclass
class FaithfulnessRegression(ImageMetric):
    """F_reg: mean over images of |predicted - explained logit|, in logits; 0 is perfect, lower is better.

    Source: SRAE paper, section 4.1, metric (1a). The explained logit is the explanation's own where it gives one, else
    the task performer's. `@positive` is the same over images of the explained category, `@negative` the mean over all
    others: test sets hold far more negatives than positives, and a mean over both hides a failure on the positives.
    """

    name = "faithfulness_regression"
    needs = ("logits",)
    images = "all"
    higher_is_better = False
    bounds = (0.0, float("inf"))

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """The deviation on each image. Raises NotApplicable where no single logit is explained, or none predicted."""
        predicted, explained = outputs.predicted_and_explained(explanation)
        deviations, positive = (predicted - explained).abs().numpy(), outputs.positive.cpu().numpy()
        of_positive, of_negative = (np.ma.masked_array(deviations, others) for others in (~positive, positive))
        return {"": deviations, "@positive": of_positive, "@negative": of_negative}

    def compute(self) -> dict[str, Scores]:
        """A value per image, over all images and over the positive ones; the mean over the negative ones."""
        found = super().compute()
        negative = np.asarray(found[f"{self.name}@negative"].values)
        low, high = bootstrap(negative)
        found[f"{self.name}@negative"] = Scores(value=float(mean_of_known(negative)), low=low, high=high)
        return found


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(FaithfulnessRegression)
