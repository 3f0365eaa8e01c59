"""How well the explainer's logit tells the explained category from the others, beside the performer's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

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
    """Share of images that the explainer's logits classify correctly, in [0, 1]; higher is better.

    One logit: its cut at its best threshold tells the explained category from all else. Source: additive explainer,
    section 4 "prediction accuracy" and its supplement: the threshold is the one that maximises accuracy on the
    evaluated images, so the value is optimistic on few images. All logits: the largest is that of the image's category,
    over images of an explained category (Interpretable CNN, section 5). `@performer` is the explained network's own
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

    def update(self, batch: Batch, explanation: Explanation, outputs: Outputs) -> None:
        """Add a batch. Raises NotApplicable where nothing is predicted, or not for every explained category."""
        own = outputs.category_logits if outputs.target is None else outputs.explained
        explained = own if explanation.explained is None or explanation.is_classifier else explanation.explained
        if explained is None or explanation.logits is None:
            raise NotApplicable("no logits are predicted")
        if explained.shape != explanation.logits.shape:
            raise NotApplicable(f"logits are {tuple(explanation.logits.shape)}, expected {tuple(explained.shape)}")
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
        return {
            self.name: Scores(tuple(ids), explainer),
            f"{self.name}@performer": Scores(tuple(ids), performer),
            f"{self.name}@difference": Scores(tuple(ids), explainer - performer),
        }


def hits(logits: Float[np.ndarray, "n k"], category: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """1 where the largest logit is that of the category, else 0; NaN where a logit is not finite."""
    return np.where(np.isfinite(logits).all(1), (logits.argmax(1) == category).astype(float), np.nan)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(Accuracy)
