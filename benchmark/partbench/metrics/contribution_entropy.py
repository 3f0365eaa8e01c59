"""Entropy of the contributions: how evenly they are spread over the concepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from partbench import Batch, Explanation, ImageMetric, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import entropy, entropy_fraction


@dataclass
class ContributionEntropy(ImageMetric):
    """Mean over images of H / ln k: the entropy of contributions, as a share of its most, in [0, 1]; higher is better.

    H = -sum c ln c, c_i = |C_i| / sum |C|, C the contributions of the k concepts that the explainer offers, also those
    that are 0. The value is 0 if a single one is not 0, 1 if all are equal. A share of ln k, because H itself grows
    with the number of concepts offered. `@nats` is H, as printed. An image whose contributions are all 0 has no value;
    a single concept has H = 0 of at most 0, and no share.

    Source: additive explainer, section 4.1 and Table 1, which names no base; its values come close to ln k and none is
    above. More is better in the sense of that paper: an explainer that mimics the logit from a few of the concepts at
    hand is biased, and prior weights, which spread the contributions, are to cure it. It is an indirect sign: equal
    contributions that mean nothing score 1, whatever their number.
    """

    name = "contribution_entropy"
    version = "2"  # 1 was @nats
    needs = ("contributions",)
    higher_is_better = True
    bounds = (0.0, 1.0)
    _single: bool = field(init=False, default=False, repr=False)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """H / ln k and H of each image."""
        if explanation.contributions is None:
            raise ValueError("the explanation has no contributions")
        sizes = explanation.contributions.detach().double().abs().cpu().numpy()
        self._single = sizes.shape[1] == 1
        return {"": entropy_fraction(sizes), "@nats": entropy(sizes)}

    def compute(self) -> dict[str, Scores]:
        """The values of each image, with a note where there is a single concept."""
        found = super().compute()
        if self._single:
            note = "one concept only: there is nothing to spread the logit over"
            found[self.name] = replace(found[self.name], note=note)
        return found


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(ContributionEntropy)
