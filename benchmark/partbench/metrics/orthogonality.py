"""O1 and O2: whether concepts mark different regions, from the correlations of their heatmaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import Batch, Explanation, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import (
    FLAT,
    correlation,
    covariances,
    excess_norm,
    jackknife_error,
    mean_covariance,
    negative_logdet,
)

# images are gathered in this many groups, so that the state does not grow with the number of images
GROUPS = 32


@dataclass
class Orthogonality(Metric):
    """What O1 and O2 share: the covariance C of the concepts' heatmaps over the images of the category.

    Source: SRAE paper, section 4.1, metric (2): C is "aggregated over the dataset"; here the sum over images of the
    covariance over pixels, centred per image, of the heatmaps scaled to sum 1. With `pooled`, one covariance over the
    concatenated pixels of all images. A concept that is zero or flat on every image is dead and correlates 0 with all,
    which looks perfectly orthogonal: `@alive` leaves the dead out, `@dead_concepts` tells which they are (1 or 0 each).
    The interval is the jackknife's over images (in 32 groups where there are more): value +- 1.96 standard errors. A
    bootstrap would not do: chance correlations add up in P, and those of a resample exceed those of the sample.
    """

    needs = ("maps",)
    higher_is_better = False
    bounds = (0.0, float("inf"))
    of = "all"

    pooled: bool = False

    _second: Tensor = field(init=False, default_factory=lambda: torch.zeros(0), repr=False)
    _first: Tensor = field(init=False, default_factory=lambda: torch.zeros(0), repr=False)
    _images: int = field(init=False, default=0, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where there are fewer than two concepts."""
        n, k = explanation.maps.shape[:2]
        if k < 2:
            raise NotApplicable("one map only: nothing to be orthogonal to")
        second, first = covariances(explanation.maps, *explanation.upsampling(*batch.size))
        if self.pooled:
            second = second + first[:, :, None] * first[:, None, :]
        if not self._images:
            self._second = torch.zeros(GROUPS, k, k, dtype=torch.float64)
            self._first = torch.zeros(GROUPS, k, dtype=torch.float64)
        group = (self._images + torch.arange(n)) % GROUPS
        self._second.index_add_(0, group, second.cpu())
        self._first.index_add_(0, group, first.cpu())
        self._images += n

    def compute(self) -> dict[str, Scores]:
        """The value over all concepts, over those alive, and which are dead; NaN where fewer than two remain."""
        groups = min(self._images, GROUPS)
        # not `> FLAT`: a NaN is not a dead concept
        alive = ~(self._covariance(torch.ones(1, groups).double())[0].diagonal() <= FLAT)
        everything = self._scores(torch.ones_like(alive))
        return {
            self.name: everything,
            f"{self.name}@alive": everything if alive.all() else self._scores(alive),
            f"{self.name}@dead_concepts": Scores(
                [str(i) for i in range(len(alive))], (~alive).double().numpy(), of="concept"
            ),
        }

    def _scores(self, chosen: Bool[Tensor, "k"]) -> Scores:
        if chosen.sum() < 2:
            return Scores(value=float("nan"), low=float("nan"), high=float("nan"))
        groups = min(self._images, GROUPS)
        value = self._values(torch.ones(1, groups).double(), chosen).item()
        if groups < 2:
            return Scores(value=value, low=float("nan"), high=float("nan"))
        without_one = 1 - torch.eye(groups).double()
        left = torch.cat([self._values(part, chosen) for part in without_one.split(8)])
        error = jackknife_error(left)
        return Scores(value=value, low=max(value - 1.96 * error, 0.0), high=value + 1.96 * error)

    def _values(self, weights: Float[Tensor, "d g"], chosen: Bool[Tensor, "k"]) -> Float[Tensor, "d"]:
        return self._measure(correlation(self._covariance(weights)[:, chosen][:, :, chosen]))

    def _covariance(self, weights: Float[Tensor, "d g"]) -> Float[Tensor, "d k k"]:
        """The mean covariance of an image, the groups weighted."""
        groups = weights.shape[1]
        counts = torch.bincount(torch.arange(self._images) % GROUPS, minlength=groups).double()
        return mean_covariance(self._second[:groups], self._first[:groups], counts, weights, self.pooled)

    def _measure(self, correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
        raise NotImplementedError


@dataclass
class OrthogonalityFrobenius(Orthogonality):
    """O1 = ||P||_F - sqrt(n), P the correlation of the n concepts' heatmaps; 0 is orthogonal, lower is better.

    Source: SRAE paper, section 4.1, metric (2a). Range [0, n - sqrt(n)], the upper end for n equal maps.
    """

    name = "orthogonality_frobenius"

    def _measure(self, correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
        return excess_norm(correlated)


@dataclass
class OrthogonalityLogdet(Orthogonality):
    """O2 = -ln det P, P the correlation of the n concepts' heatmaps; 0 is orthogonal, lower is better.

    Source: SRAE paper, section 4.1, metric (2b). Dependent maps have det P = 0; the ridge of 1e-6 on P keeps O2 finite:
    each dependent direction adds up to 13.8.
    """

    name = "orthogonality_logdet"

    def _measure(self, correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
        return negative_logdet(correlated)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(OrthogonalityFrobenius)
    register(OrthogonalityLogdet)
