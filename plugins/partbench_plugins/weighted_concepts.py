"""A logit as a weighted sum of a few units, with the units' maps: what lasso, srae and its baselines explain with."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from partbench import Explanation, Images
from partbench_plugins.unit_maps import UnitMaps


@dataclass(frozen=True)
class WeightedConcepts:
    """Weights w of k concepts, the intercept of the logit that they predict, and the maps of the concepts."""

    weights: Float[Tensor, "k"]
    intercept: float
    unit_maps: UnitMaps

    def explanation(self, images: Images, scores: Float[Tensor, "n k"]) -> Explanation:
        """Scores s, contributions w s, logits (their sum plus the intercept), and maps once they are asked for."""
        contributions = scores * self.weights
        return Explanation(
            self.unit_maps.later(images),
            grid=self.unit_maps.grid,
            scores=scores,
            contributions=contributions,
            logits=contributions.sum(1) + self.intercept,
        )
