"""Share of images that the explainer's logits classify correctly, compared with the network's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import decisions
from partbench.functional.statistics import agreement

LOGIT, POSITIVE = "logit", "positive"  # readings that the fitted threshold is found from


@dataclass
class Accuracy(ImageMetric):
    """Share of images that the explainer's logits classify correctly by its own rule, in [0, 1]; higher is better.

    No threshold is fitted to the images scored. One logit calls an image positive where it is above the explainer's
    threshold, chosen on training data. Without a threshold: where it is the largest of the performer's logits, in the
    place of the one that it predicts; and above 0 if the performer has one output or the explainer a network of its
    own. All logits: the largest is to be that of the image's category, over images of an explained category
    (Interpretable CNN, section 5). Where one side has most of the images, a constant logit scores its share: read
    `balanced_accuracy`. `classification_error` asks how the performer decides with the explainer's logit in place of
    its own.

    `@performer` is the accuracy of the network explained by the same rules, without a threshold; of an explainer that
    is a classifier itself, the task performer's. `@difference` is explainer - performer, paired per image, in [-1, 1].
    `@fitted_threshold` cuts the one logit where accuracy on the evaluated images is highest: optimistic, the more so on
    few images. Source: additive explainer, section 4 "prediction accuracy" and its supplement.
    """

    name = "accuracy"
    version = "2"  # 1 was @fitted_threshold
    needs = ("logits",)
    images = "all"
    higher_is_better = True
    bounds = (0.0, 1.0)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """1 or 0 per image. Raises NotApplicable where nothing is predicted, or not for every explained category."""
        found = decisions(explanation, outputs)
        of_both = found.explainer_right, found.performer_right
        explainer, performer = (np.ma.masked_array(right, found.side < 0) for right in of_both)
        values = {"": explainer, "@performer": performer, "@difference": explainer - performer}
        if found.predicted.ndim > 1:
            return values
        return values | {LOGIT: found.predicted, POSITIVE: found.side > 0}

    def compute(self) -> dict[str, Scores]:
        """1 or 0 per image. Raises NotApplicable if, of one logit, the images are all of the category, or none is."""
        found = {self.name + name: self.scores(self.gathered(name)) for name in ("", "@performer", "@difference")}
        if LOGIT not in self._readings:
            return found
        positive = np.ma.getdata(self.gathered(POSITIVE))
        if positive.all() or not positive.any():
            count = f"{positive.sum()} of {len(positive)} images show the category"
            raise NotApplicable(f"{count}: nothing to tell apart")
        fitted = agreement(np.ma.getdata(self.gathered(LOGIT)), positive)
        return found | {f"{self.name}@fitted_threshold": self.scores(fitted)}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    """This module's metric."""
    register(Accuracy)
