"""How evenly the concepts share in the explained logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from partbench import Batch, Explanation, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import entropy


@dataclass
class ContributionEntropy:
    """Mean over images of H = -sum c ln c (nats), c_i = |C_i| / sum |C|; higher is better.

    C are the contributions of the k concepts; H is 0 where one has them all, ln k where all are equal. Source: additive
    explainer, section 4.1 and Table 1, which names no base; its values come close to ln k and none is above. More is
    better in the sense of that paper: an explainer that mimics the logit from a few of the concepts at hand is biased,
    and prior weights, which spread the contributions, are to cure it. It is an indirect sign: equal contributions that
    mean nothing score best, and more concepts allow more. Hence `@fraction` = H / ln k in [0, 1], for explainers with
    different numbers of concepts; NaN for a single one. An image whose contributions are all zero has no value.
    """

    name: ClassVar[str] = "contribution_entropy"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("contributions",)
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    unit: ClassVar[str] = "image"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _entropies: list[float] = field(init=False, default_factory=list, repr=False)
    _fractions: list[float] = field(init=False, default_factory=list, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch; the explanation must have contributions."""
        if explanation.contributions is None:
            raise ValueError("the explanation has no contributions")
        sizes = explanation.contributions.detach().double().abs().cpu().numpy()
        most = np.log(sizes.shape[1]) or np.nan
        found = entropy(sizes)
        self._ids += batch.ids
        self._entropies += found.tolist()
        self._fractions += (found / most).tolist()

    def compute(self) -> dict[str, Scores]:
        """H of each image, and its share of what the number of concepts allows."""
        return {
            self.name: Scores(tuple(self._ids), np.array(self._entropies)),
            f"{self.name}@fraction": Scores(tuple(self._ids), np.array(self._fractions)),
        }


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(ContributionEntropy)
