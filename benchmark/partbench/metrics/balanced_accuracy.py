"""How well the explainer's logit tells the explained category from the rest, both sides counted alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import decisions
from partbench.functional.statistics import balanced_mean, pseudovalues_of_known

SIDE = "side"  # the reading that says which side an image is of


@dataclass
class BalancedAccuracy(ImageMetric):
    """Mean over the sides of the share of their images that are classified correctly; in [0, 1], higher is better.

    One logit: the sides are the images of the category and all others. All logits: the sides are the explained
    categories. Images are classified by the rules of `accuracy`: no threshold is fitted to the images scored. A
    network at chance scores .5, whatever the share of the larger side. `@performer` is the explained network's own on
    the same terms; of an explainer that is a classifier itself, the task performer's.

    The evidence of an image is the jackknife's, from the value without it. That of an image of a small side is larger.
    A side of a single image leaves no evidence: nothing tells how it varies.
    """

    name = "balanced_accuracy"
    version = "2"  # 1 did not know the explainer's threshold, and weighted the values of images
    needs = ("logits",)
    images = "all"
    higher_is_better = True
    bounds = (0.0, 1.0)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """1 or 0 per image, and its side, masked where it has none.

        Raises NotApplicable where nothing is predicted, or not for every explained category.
        """
        found = decisions(explanation, outputs)
        values = {"": found.explainer_right, "@performer": found.performer_right, SIDE: found.side}
        return {name: np.ma.masked_array(of_each, found.side < 0) for name, of_each in values.items()}

    def compute(self) -> dict[str, Scores]:
        """The mean over sides, and its evidence. Raises NotApplicable if all images are of one side."""
        side = self.gathered(SIDE)
        counted = ~np.ma.getmaskarray(side)
        if len(np.unique(side[counted])) < 2:
            raise NotApplicable("all images are of one side: nothing to tell apart")
        images = [self._ids[i] for i in np.flatnonzero(counted)]
        found = {}
        for reading in ("", "@performer"):
            right = np.ma.getdata(self.gathered(reading))[counted]
            value, left_out = balanced_mean(right, np.ma.getdata(side)[counted])
            evidence = pseudovalues_of_known(value, left_out, ~np.isnan(right))
            found[self.name + reading] = Scores(value=value, images=images, evidence=evidence)
        return found


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    """This module's metric."""
    register(BalancedAccuracy)
