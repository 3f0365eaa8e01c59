"""Error of the performer's decision when the explainer's logits replace its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, hookimpl
from partbench.functional.statistics import agreement, hits, one_against_rest, replace_logit

Right = Float[np.ndarray, "n"]


@dataclass
class ClassificationError(ImageMetric):
    """Share of images that the performer gets wrong with the explainer's logits as its own, in [0, 1]; lower is better.

    Source: explainer auto-encoder, Table 3 and appendix Table 7: features that the explainer has reconstructed are sent
    through the rest of the performer and classified by its decision rule. `accuracy` goes by the explainer's own rule
    instead, which may have a threshold from training data.

    One logit of a performer with several: the explainer's takes the place of the explained one, and an image is called
    positive where it is the largest; the other logits stay the performer's and so does their share in being right. A
    logit that stands alone (the performer has one output, or the explainer gives the logit it explains): positive above
    0, as for the logistic logits of the paper. All logits: the largest is to be that of the image's category, over
    images of an explained category.

    `@performer` is the error of the logits explained, by the same rule; of an explainer that is a classifier itself,
    the task performer's, by its own rule. `@difference` is explainer minus performer, paired per image, in [-1, 1]: the
    paper's "delta error", below 0 where the explainer classifies better.
    """

    name = "classification_error"
    needs = ("logits",)
    images = "all"
    higher_is_better = False
    bounds = (0.0, 1.0)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """1 (wrong) or 0 per image, NaN where a logit is not finite.

        Raises NotApplicable where nothing is predicted, or not for every explained category.
        """
        predicted, explained = explanation.logits, explanation.explained
        if predicted is None:
            raise NotApplicable("no logits are predicted")
        if outputs.target is None:
            right, others = _all_logits(predicted, explained, outputs), ~outputs.positive.cpu().numpy()
        else:
            right, others = _one_logit(predicted, explained, outputs, outputs.target), np.zeros(len(batch), dtype=bool)
        explainer, performer = (np.ma.masked_array(1 - values, others) for values in right)
        return {"": explainer, "@performer": performer, "@difference": explainer - performer}


def _one_logit(
    predicted: Tensor, explained: Tensor | None, outputs: PerformerOutputs, target: int
) -> tuple[Right, Right]:
    """1 where the explainer, and where the performer, tells the explained category from all else, else 0.

    `explained` is the explanation's own, None where the logit is the performer's. A classifier whose logit is the
    performer's own is called by the performer's rule.
    """
    logits, positive = _numpy(outputs.logits), outputs.positive.cpu().numpy()
    if predicted.ndim > 1:
        raise NotApplicable(f"logits are {tuple(predicted.shape)}, expected ({len(logits)},)")
    performer = one_against_rest(logits, target, positive)
    own = outputs.explained is not None and explained is predicted and torch.equal(predicted, outputs.explained)
    if explained is None or own:
        replaced = replace_logit(logits, target, _numpy(predicted))
        return one_against_rest(replaced, target, positive), performer
    if explained is not predicted:
        performer = agreement(_numpy(explained), positive, 0.0)
    return agreement(_numpy(predicted), positive, 0.0), performer


def _all_logits(predicted: Tensor, explained: Tensor | None, outputs: PerformerOutputs) -> tuple[Right, Right]:
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


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(ClassificationError)
