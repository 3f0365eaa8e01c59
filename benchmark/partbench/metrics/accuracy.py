"""How well the explainer's logit tells the explained category from the others, beside the performer's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float

from partbench import Batch, Explanation, NotApplicable, Outputs, Scores, hookimpl


def best_threshold(logits: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """The threshold tau for which `logits > tau` agrees most often with `positive`; of equals the nearest to 0.

    `logits` are finite and at least one.
    """
    order = np.argsort(logits)
    ordered, shown = logits[order], positive[order]
    # cut i calls the i smallest logits negative and the others positive
    right = np.concatenate([[0], np.cumsum(~shown)]) + shown.sum() - np.concatenate([[0], np.cumsum(shown)])
    below, above = np.concatenate([[-np.inf], ordered]), np.concatenate([ordered, [np.inf]])
    right = np.where(below < above, right, -1)  # equal logits cannot be parted
    thresholds = np.clip(0.0, below, np.nextafter(above, -np.inf))
    best = thresholds[right == right.max()]
    return float(best[np.abs(best).argmin()])


def agreement(logits: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """1 where the logit is on its image's side of the best threshold, else 0; NaN for a logit that is not finite."""
    known = np.isfinite(logits)
    values = np.full(len(logits), np.nan)
    if known.any():
        values[known] = (logits[known] > best_threshold(logits[known], positive[known])) == positive[known]
    return values


@dataclass
class Accuracy:
    """Share of images that the explainer's logit, cut at its best threshold, puts on the right side; higher is better.

    Source: additive explainer, section 4 "prediction accuracy" and its supplement: the threshold is the one that
    maximises accuracy on the evaluated images, so the value is optimistic on few images. In [0, 1]. `@performer` is the
    explained logit's own accuracy on the same terms (deviation: the paper cuts it at 0, which means nothing for one
    logit of many). `@difference` is explainer minus performer, paired per image, in [-1, 1]: outside the bounds of the
    other two.
    """

    name: ClassVar[str] = "accuracy"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("logits",)
    images: ClassVar[Literal["positive", "all"]] = "all"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unit: ClassVar[str] = "image"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _predicted: list[float] = field(init=False, default_factory=list, repr=False)
    _explained: list[float] = field(init=False, default_factory=list, repr=False)
    _positive: list[bool] = field(init=False, default_factory=list, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: Outputs) -> None:
        """Add a batch. Raises NotApplicable where no single logit is explained, or none is predicted."""
        explained = outputs.explained if explanation.explained is None else explanation.explained
        if explained is None or explanation.logits is None:
            raise NotApplicable("all logits are explained, not one" if explained is None else "no logits are predicted")
        self._ids += batch.ids
        self._predicted += explanation.logits.tolist()
        self._explained += explained.tolist()
        self._positive += outputs.positive.tolist()

    def compute(self) -> dict[str, Scores]:
        """1 or 0 per image. Raises NotApplicable if the images are all of the category, or none is."""
        positive = np.array(self._positive, dtype=bool)
        if positive.all() or not positive.any():
            raise NotApplicable(f"{positive.sum()} of {len(positive)} images show the category: nothing to tell apart")
        explainer = agreement(np.array(self._predicted), positive)
        performer = agreement(np.array(self._explained), positive)
        return {
            self.name: Scores(tuple(self._ids), explainer),
            f"{self.name}@performer": Scores(tuple(self._ids), performer),
            f"{self.name}@difference": Scores(tuple(self._ids), explainer - performer),
        }


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(Accuracy)
