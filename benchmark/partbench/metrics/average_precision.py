"""How well the explainer's logits rank images of a category above all others, without any threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import decisions
from partbench.functional.statistics import average_precision, average_precisions_left_out, pseudovalues

SIDE = "side"  # the reading that says which side an image is of


@dataclass
class AveragePrecision(ImageMetric):
    """Area under precision against recall of the explainer's logit as a ranking, in (0, 1]; higher is better.

    The mean over the images of the category of the precision among all images whose logit is at least theirs; equal
    logits are cut together (as in scikit-learn, without interpolation). It needs no threshold, and an increasing
    function of the logit does not change it. A random ranking scores about the share of the category's images. All
    logits: the mean over the explained categories, each against the images of the others. Ours: the papers print
    accuracy.

    `@performer` is that of the network explained; of an explainer that is a classifier itself, the task performer's.

    The evidence of an image is the jackknife's: the value without it is found for each image.
    """

    name = "average_precision"
    needs = ("logits",)
    images = "all"
    higher_is_better = True
    bounds = (0.0, 1.0)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """The logits of each image, and its side.

        Raises NotApplicable where nothing is predicted, or not for every explained category.
        """
        found = decisions(explanation, outputs)
        return {"": found.predicted, "@performer": found.explained, SIDE: found.side}

    def compute(self) -> dict[str, Scores]:
        """The average precision and its evidence. Raises NotApplicable if all images are of one side."""
        side = np.ma.getdata(self.gathered(SIDE))
        if len(np.unique(side[side >= 0])) < 2:
            raise NotApplicable("all images are of one side: nothing to tell apart")
        readings = {name: np.ma.getdata(self.gathered(name)) for name in ("", "@performer")}
        return {f"{self.name}{name}": self._scores(logits, side) for name, logits in readings.items()}

    def _scores(self, logits: Float[np.ndarray, "n *c"], side: Int[np.ndarray, "n"]) -> Scores:
        columns = {1: logits} if logits.ndim == 1 else dict(enumerate(logits.T))
        finite = np.isfinite(logits.reshape(len(logits), -1)).all(1)
        used = np.flatnonzero(finite & (side >= 0))
        shown = [category for category in columns if (side[used] == category).any()]
        told = [(columns[category][used], side[used] == category) for category in shown]
        value = float(np.mean([average_precision(*of_category) for of_category in told])) if told else float("nan")
        evidence = np.full(len(logits), np.nan)
        if told:
            left_out = np.mean([average_precisions_left_out(*of_category) for of_category in told], axis=0)
            evidence[used] = pseudovalues(value, left_out)
        counted = np.flatnonzero(side >= 0)
        return Scores(value=value, images=[self._ids[i] for i in counted], evidence=evidence[counted])


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    """This module's metric."""
    register(AveragePrecision)
