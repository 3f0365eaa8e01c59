"""How well the explainer's logit tells the explained category from the others, beside the performer's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from partbench import Batch, Explanation, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import agreement, hits


@dataclass
class Accuracy:
    """Share of images that the explainer's logits classify correctly, in [0, 1]; higher is better.

    One logit: its cut at its best threshold tells the explained category from all else. Source: additive explainer,
    section 4 "prediction accuracy" and its supplement: the threshold is the one that maximises accuracy on the
    evaluated images, so the value is optimistic on few images. `@train_threshold` cuts where the explainer says,
    which chose on training data; it is not optimistic, is never above the value, and is there only where a threshold
    is given. All logits: the largest is that of the image's category, over images of an explained category
    (Interpretable CNN, section 5), and there is no threshold. `@performer` is the explained network's own
    accuracy on the same terms (deviation: the paper cuts it at 0, which means nothing for one logit of many); of an
    explainer that is a classifier itself, the task performer's. `@difference` is explainer minus performer, paired per
    image, in [-1, 1]: outside the bounds of the other two.
    """

    name: ClassVar[str] = "accuracy"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("logits",)
    images: ClassVar[Literal["positive", "all"]] = "all"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unit: ClassVar[str] = "image"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _predicted: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _explained: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _category: list[int] = field(init=False, default_factory=list, repr=False)
    _threshold: float | None = field(init=False, default=None, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where nothing is predicted, or not for every explained category."""
        own = outputs.category_logits if outputs.target is None else outputs.explained
        explained = own if explanation.explained is None or explanation.is_classifier else explanation.explained
        if explained is None or explanation.logits is None:
            raise NotApplicable("no logits are predicted")
        if explained.shape != explanation.logits.shape:
            raise NotApplicable(f"logits are {tuple(explanation.logits.shape)}, expected {tuple(explained.shape)}")
        self._threshold = explanation.threshold
        self._ids += batch.ids
        self._predicted += list(explanation.logits.detach().cpu().numpy())
        self._explained += list(explained.detach().cpu().numpy())
        one = outputs.positive.long() - 1  # 0 for the category, -1 for all else
        self._category += (outputs.category if explained.ndim > 1 and outputs.category is not None else one).tolist()

    def compute(self) -> dict[str, Scores]:
        """1 or 0 per image. Raises NotApplicable if the images are all of the category, or none is."""
        category = np.array(self._category)
        predicted, explained = np.array(self._predicted), np.array(self._explained)
        ids = np.array(self._ids)
        if predicted.ndim == 2:
            known = category >= 0
            ids, category, predicted, explained = (values[known] for values in (ids, category, predicted, explained))
            explainer, performer = (hits(logits, category) for logits in (predicted, explained))
        else:
            positive = category >= 0
            if positive.all() or not positive.any():
                found = f"{positive.sum()} of {len(positive)} images show the category"
                raise NotApplicable(f"{found}: nothing to tell apart")
            explainer, performer = (agreement(logits, positive) for logits in (predicted, explained))
        scores = {"": explainer, "@performer": performer, "@difference": explainer - performer}
        if self._threshold is not None and predicted.ndim == 1:
            scores["@train_threshold"] = agreement(predicted, category >= 0, self._threshold)
        return {self.name + variant: Scores(tuple(ids), values) for variant, values in scores.items()}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(Accuracy)
