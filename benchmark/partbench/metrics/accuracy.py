"""Accuracy of classification by the explainer's logits, compared with the performer's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import agreement, hits


@dataclass
class Accuracy(ImageMetric):
    """Share of images that the explainer's logits classify correctly, in [0, 1]; higher is better.

    Tasks with one logit: an image is classified by whether the logit exceeds a threshold. The threshold is the one that
    maximises accuracy on the evaluated images, so the value is optimistic on few images. Source: additive explainer,
    section 4 "prediction accuracy" and its supplement. `@train_threshold` uses the explainer's threshold, chosen on
    training data; it is not optimistic, is never above the value, and is absent if the explainer gives no threshold.
    Tasks with all logits: the share of images whose largest logit is that of their category, among images of an
    explained category (Interpretable CNN, section 5); there is no threshold.

    `@performer` is the accuracy of the network explained, found in the same way. Deviation: the paper uses a threshold
    of 0 for it, which has no meaning for one logit of many. If the explainer is a classifier itself, `@performer` is
    that of the task's performer. `@difference` is explainer - performer, paired per image, in [-1, 1].
    """

    name = "accuracy"
    needs = ("logits",)
    images = "all"
    higher_is_better = True
    bounds = (0.0, 1.0)

    _threshold: float | None = field(init=False, default=None, repr=False)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """1 or 0 per image where all logits are explained, else what decides it once all images are known.

        Raises NotApplicable where nothing is predicted, or not for every explained category.
        """
        own = outputs.category_logits if outputs.target is None else outputs.explained
        explained = own if explanation.explained is None or explanation.is_classifier else explanation.explained
        if explained is None or explanation.logits is None:
            raise NotApplicable("no logits are predicted")
        if explained.shape != explanation.logits.shape:
            raise NotApplicable(f"logits are {tuple(explanation.logits.shape)}, expected {tuple(explained.shape)}")
        self._threshold = explanation.threshold
        logits = [values.detach().cpu().numpy() for values in (explanation.logits, explained)]
        if explained.ndim == 1:
            return {"predicted": logits[0], "explained": logits[1], "positive": outputs.positive.cpu().numpy()}
        category = (outputs.positive.long() - 1 if outputs.category is None else outputs.category).cpu().numpy()
        return _compared(*(np.ma.masked_array(hits(values, category), category < 0) for values in logits))

    def compute(self) -> dict[str, Scores]:
        """1 or 0 per image. Raises NotApplicable if the images are all of the category, or none is."""
        if "predicted" not in self._readings:
            return super().compute()
        predicted, explained, positive = map(self.gathered, ("predicted", "explained", "positive"))
        if positive.all() or not positive.any():
            found = f"{positive.sum()} of {len(positive)} images show the category"
            raise NotApplicable(f"{found}: nothing to tell apart")
        values = _compared(agreement(predicted, positive), agreement(explained, positive))
        if self._threshold is not None:
            values["@train_threshold"] = agreement(predicted, positive, self._threshold)
        return {self.name + variant: self.scores(of_each) for variant, of_each in values.items()}


def _compared(explainer: np.ndarray, performer: np.ndarray) -> dict[str, np.ndarray]:
    return {"": explainer, "@performer": performer, "@difference": explainer - performer}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(Accuracy)
