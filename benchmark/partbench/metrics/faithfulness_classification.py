"""F_cls: whether an image keeps its class when the explainer's logit replaces the performer's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, hookimpl
from partbench.functional.statistics import class_unchanged


@dataclass
class FaithfulnessClassification(ImageMetric):
    """F_cls: share of images whose class survives replacing the explained logit, in [0, 1]; higher is better.

    Source: SRAE paper, section 4.1, metric (1b). `@positive` is the same over images of the explained category, where
    unfaithful explainers show: a negative keeps its class as long as the replaced logit stays low.
    """

    name = "faithfulness_classification"
    needs = ("logits",)
    images = "all"
    higher_is_better = True
    bounds = (0.0, 1.0)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """1 or 0 per image. Raises NotApplicable where no logit of the performer can be replaced."""
        target = outputs.target
        if target is None or explanation.logits is None:
            raise NotApplicable("all logits are explained, not one" if target is None else "no logits are predicted")
        if explanation.explained is not None:
            raise NotApplicable("the explained logit is not the performer's: it cannot be replaced among its logits")
        if outputs.logits.shape[1] < 2:
            raise NotApplicable("the performer has one output: its class can never change")
        logits, predicted = (value.detach().double().cpu().numpy() for value in (outputs.logits, explanation.logits))
        unchanged = class_unchanged(logits, target, predicted)
        return {"": unchanged, "@positive": np.ma.masked_array(unchanged, ~outputs.positive.cpu().numpy())}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(FaithfulnessClassification)
