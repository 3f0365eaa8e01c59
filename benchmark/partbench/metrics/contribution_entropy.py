"""Entropy of the contributions: how evenly they are spread over the concepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from partbench import Batch, Explanation, ImageMetric, PerformerOutputs, hookimpl
from partbench.functional.statistics import entropy, entropy_fraction


@dataclass
class ContributionEntropy(ImageMetric):
    """Mean over images of H = -sum c ln c (nats), c_i = |C_i| / sum |C|; higher is better.

    C are the contributions of the k concepts; H is 0 if a single one is not 0, ln k if all are equal. Source: additive
    explainer, section 4.1 and Table 1, which names no base; its values come close to ln k and none is above. More is
    better in the sense of that paper: an explainer that mimics the logit from a few of the concepts at hand is biased,
    and prior weights, which spread the contributions, are to cure it. It is an indirect sign: equal contributions that
    mean nothing score best, and more concepts allow more. Hence `@fraction` = H / ln k in [0, 1], for explainers with
    different numbers of concepts; NaN for a single one. An image whose contributions are all zero has no value.
    """

    name = "contribution_entropy"
    needs = ("contributions",)
    higher_is_better = True
    bounds = (0.0, float("inf"))

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """H of each image, and H / ln k."""
        if explanation.contributions is None:
            raise ValueError("the explanation has no contributions")
        sizes = explanation.contributions.detach().double().abs().cpu().numpy()
        return {"": entropy(sizes), "@fraction": entropy_fraction(sizes)}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(ContributionEntropy)
