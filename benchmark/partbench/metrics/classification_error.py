"""How often a classification by the explainer's logits is wrong, beside the performer's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import Batch, Explanation, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import agreement, hits

Right = Float[np.ndarray, "n"]


def called_rightly(logits: Float[np.ndarray, "n c"], target: int, positive: Bool[np.ndarray, "n"]) -> Right:
    """1 where logit `target` is the largest on a positive image and is not on another, else 0; NaN for a NaN.

    A single logit is the largest where it is above 0.
    """
    if logits.shape[1] == 1:
        return agreement(logits[:, 0], positive, 0.0)
    return np.where(np.isfinite(logits).all(1), (logits.argmax(1) == target) == positive, np.nan)


def of_one_logit(
    predicted: Tensor, explained: Tensor | None, outputs: PerformerOutputs, target: int
) -> tuple[Right, Right]:
    """1 where the explainer, and where the performer, tells the explained category from all else, else 0.

    `explained` is the explanation's own, None where the logit is the performer's. A classifier whose logit is the
    performer's own is called by the performer's rule.
    """
    logits, positive = _numpy(outputs.logits), outputs.positive.cpu().numpy()
    if predicted.ndim > 1:
        raise NotApplicable(f"logits are {tuple(predicted.shape)}, expected ({len(logits)},)")
    performer = called_rightly(logits, target, positive)
    own = outputs.explained is not None and explained is predicted and torch.equal(predicted, outputs.explained)
    if explained is None or own:
        replaced = logits.copy()
        replaced[:, target] = _numpy(predicted)
        return called_rightly(replaced, target, positive), performer
    if explained is not predicted:
        performer = agreement(_numpy(explained), positive, 0.0)
    return agreement(_numpy(predicted), positive, 0.0), performer


def of_all_logits(predicted: Tensor, explained: Tensor | None, outputs: PerformerOutputs) -> tuple[Right, Right]:
    """1 where the explainer's, and where the performer's, largest logit is that of the image's category, else 0."""
    compared = outputs.category_logits if explained is None or explained is predicted else explained
    if compared is None or outputs.category is None:
        raise NotApplicable("the logits of the categories are not known")
    if predicted.shape != compared.shape:
        raise NotApplicable(f"logits are {tuple(predicted.shape)}, expected {tuple(compared.shape)}")
    category = outputs.category.cpu().numpy()
    explainer, performer = (hits(_numpy(logits), category) for logits in (predicted, compared))
    return explainer, performer


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()


@dataclass
class ClassificationError:
    """Share of images that the explainer's logits classify wrongly, in [0, 1]; lower is better.

    Source: explainer auto-encoder, Table 3 and appendix Table 7: features that the explainer has reconstructed are sent
    through the rest of the performer and classified by its own decision rule. No threshold is tuned, unlike in
    `accuracy`. One logit of a performer with several: the explainer's takes the place of the explained one, and an
    image is called positive where it is the largest; the other logits stay the performer's and so does their share in
    being right. A logit that stands alone (the performer has one output, or the
    explainer gives the logit it explains): positive above 0, as for the logistic logits of the paper. All logits: the
    largest is to be that of the image's category, over images of an explained category.

    `@performer` is the error of the logits explained, by the same rule; of an explainer that is a classifier itself,
    the task performer's, by its own rule. `@difference` is explainer minus performer, paired per image, in [-1, 1]: the
    paper's "delta error", below 0 where the explainer classifies better.
    """

    name: ClassVar[str] = "classification_error"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("logits",)
    images: ClassVar[Literal["positive", "all"]] = "all"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unit: ClassVar[str] = "image"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _explainer: list[float] = field(init=False, default_factory=list, repr=False)
    _performer: list[float] = field(init=False, default_factory=list, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where nothing is predicted, or not for every explained category."""
        if explanation.logits is None:
            raise NotApplicable("no logits are predicted")
        predicted, explained = explanation.logits, explanation.explained
        counted = np.ones(len(batch), dtype=bool)
        if outputs.target is not None:
            explainer, performer = of_one_logit(predicted, explained, outputs, outputs.target)
        else:
            explainer, performer = of_all_logits(predicted, explained, outputs)
            counted = outputs.positive.cpu().numpy()
        self._ids += [name for name, counts in zip(batch.ids, counted, strict=True) if counts]
        self._explainer += (1 - explainer[counted]).tolist()
        self._performer += (1 - performer[counted]).tolist()

    def compute(self) -> dict[str, Scores]:
        """1 (wrong) or 0 per image, NaN where a logit is not finite."""
        explainer, performer = np.array(self._explainer), np.array(self._performer)
        found = {"": explainer, "@performer": performer, "@difference": explainer - performer}
        return {self.name + variant: Scores(tuple(self._ids), values) for variant, values in found.items()}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(ClassificationError)
