"""How well the explainer's logit tells the explained category from the rest, both sides counted alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import agreement, balanced, hits, one_against_rest, replace_logit

SIDE = "side"  # the reading that says which side an image is of


@dataclass
class BalancedAccuracy(ImageMetric):
    """Mean over the sides of the share of their images that are told right, in [0, 1]; higher is better.

    One logit: the sides are the images of the category and all others. The category is told by a logit above 0: the
    rule of log-odds (Interpretable CNN: logistic loss of single-category networks). Where the explainer predicts one
    logit of a performer with many, it is told where that logit is the largest. No threshold is fitted: a network at
    chance scores .5, whatever the share of the larger side. All logits: the sides are the explained categories, and
    the largest logit tells. `@performer` is the explained network's own on the same terms; of an explainer that is a
    classifier itself, the task performer's.

    The value of an image is 1 or 0 times (all images) / (sides x images of its side): the aggregate is the mean.
    """

    name = "balanced_accuracy"
    needs = ("logits",)
    images = "all"
    higher_is_better = True
    bounds = (0.0, 1.0)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """1 or 0 per image, and its side, masked where it has none.

        Raises NotApplicable where nothing is predicted, or not for every explained category.
        """
        own = outputs.category_logits if outputs.target is None else outputs.explained
        another = explanation.explained is not None and not explanation.is_classifier
        explained = explanation.explained if another else own
        if explained is None or explanation.logits is None:
            raise NotApplicable("no logits are predicted")
        if explained.shape != explanation.logits.shape:
            raise NotApplicable(f"logits are {tuple(explanation.logits.shape)}, expected {tuple(explained.shape)}")
        category = outputs.positive.long() - 1 if outputs.category is None else outputs.category
        side = (outputs.positive.long() if outputs.target is not None else category).cpu().numpy()
        right = {
            "": _right(explanation.logits, side, outputs, explanation.explained is None),
            "@performer": _right(explained, side, outputs, not another),
        }
        return {name: np.ma.masked_array(values, side < 0) for name, values in (right | {SIDE: side}).items()}

    def compute(self) -> dict[str, Scores]:
        """Weighted values per image. Raises NotApplicable if all images are of one side."""
        side = self.gathered(SIDE)
        counted = ~np.ma.getmaskarray(side)
        if len(np.unique(side[counted])) < 2:
            raise NotApplicable("all images are of one side: nothing to tell apart")
        found = {}
        for reading in ("", "@performer"):
            values = self.gathered(reading)
            weighted = np.ma.masked_array(np.full(len(values), np.nan), ~counted)
            weighted[counted] = balanced(np.ma.getdata(values)[counted], np.ma.getdata(side)[counted])
            found[self.name + reading] = self.scores(weighted)
        return found


def _right(
    logits: Float[Tensor, "n *k"], side: Int[np.ndarray, "n"], outputs: PerformerOutputs, of_performer: bool
) -> Float[np.ndarray, "n"]:
    """1 where logits tell the side of an image, else 0; those of the performer are compared with its other outputs."""
    values = logits.detach().cpu().numpy()
    if values.ndim > 1:
        return hits(values, side)
    if not of_performer or outputs.target is None:
        return agreement(values, side > 0, 0.0)
    rivals = replace_logit(outputs.logits.detach().cpu().numpy(), outputs.target, values)
    return one_against_rest(rivals, outputs.target, side > 0)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    """This module's metric."""
    register(BalancedAccuracy)
