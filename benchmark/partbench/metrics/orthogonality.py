"""Whether concepts look at different places: O1 and O2, from the correlations of their heatmaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import Batch, Explanation, NotApplicable, PerformerOutputs, Scores, hookimpl

RIDGE = 1e-6
# variance of a map in units of its squared mean below which it is flat: nothing to correlate but rounding
FLAT = 1e-12
# images are gathered in this many groups, so that the state does not grow with the number of images
GROUPS = 32


def covariances(
    maps: Float[Tensor, "n k h w"], rows: Float[Tensor, "H h"], columns: Float[Tensor, "W w"]
) -> tuple[Float[Tensor, "n k k"], Float[Tensor, "n k"]]:
    """Covariance over pixels of the heatmaps `rows @ map @ columns.T`, each scaled to mean 1, and that mean (1 or 0).

    A map without mass stays 0. The heatmaps are never made: an inner product of two of them is one of their maps under
    the Gram matrices of `rows` and `columns`; a constant off a map is off its heatmap too, as their rows sum to 1.
    """
    maps, rows, columns = maps.double(), rows.double(), columns.double()
    pixels = len(rows) * len(columns)
    means = torch.einsum("nkhw,h,w->nk", maps, rows.sum(0), columns.sum(0)) / pixels
    mass = (means > 0).double()
    scale = torch.where(means > 0, means, 1.0)
    centred = (maps - means[..., None, None]) / scale[..., None, None] * mass[..., None, None]
    projected = (rows.T @ rows) @ centred @ (columns.T @ columns)
    return projected.flatten(2) @ centred.flatten(2).mT / pixels, mass


def correlation(covariance: Float[Tensor, "*d k k"]) -> Float[Tensor, "*d k k"]:
    """Correlation matrices with a ridge: (P + RIDGE I) / (1 + RIDGE), so that the diagonal is exactly 1.

    A concept without variance has correlation 0 with every other.
    """
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    inverse = torch.where(variance <= FLAT, 0.0, variance.clamp(min=FLAT).rsqrt())
    correlated = covariance * inverse[..., :, None] * inverse[..., None, :] / (1 + RIDGE)
    correlated.diagonal(dim1=-2, dim2=-1).copy_(torch.where(variance.isnan(), torch.nan, 1.0))
    return correlated


@dataclass
class Orthogonality:
    """What O1 and O2 share: the covariance C of the concepts' heatmaps over the images of the category.

    Source: SRAE paper, section 4.1, metric (2): C is "aggregated over the dataset"; here the sum over images of the
    covariance over pixels, centred per image, of the heatmaps scaled to sum 1. With `pooled`, one covariance over the
    concatenated pixels of all images. A concept that is zero or flat on every image is dead and correlates 0 with all,
    which looks perfectly orthogonal: `@alive` leaves the dead out, `@dead_concepts` tells which they are (1 or 0 each).
    The interval is the jackknife's over images (in 32 groups where there are more): value +- 1.96 standard errors. A
    bootstrap would not do: chance correlations add up in P, and those of a resample exceed those of the sample.
    """

    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("maps",)
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    unit: ClassVar[str] = "set"
    name: ClassVar[str]

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
            f"{self.name}@dead_concepts": Scores([str(i) for i in range(len(alive))], (~alive).double().numpy()),
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
        error = ((groups - 1) * left.var(correction=0).item()) ** 0.5
        return Scores(value=value, low=max(value - 1.96 * error, 0.0), high=value + 1.96 * error)

    def _values(self, weights: Float[Tensor, "d g"], chosen: Bool[Tensor, "k"]) -> Float[Tensor, "d"]:
        return self._measure(correlation(self._covariance(weights)[:, chosen][:, :, chosen]))

    def _covariance(self, weights: Float[Tensor, "d g"]) -> Float[Tensor, "d k k"]:
        """The mean covariance of an image, the groups weighted."""
        groups = weights.shape[1]
        sizes = torch.bincount(torch.arange(self._images) % GROUPS, minlength=groups).double()
        images = weights @ sizes
        second = torch.einsum("dg,gij->dij", weights, self._second[:groups]) / images[:, None, None]
        if not self.pooled:
            return second
        first = weights @ self._first[:groups] / images[:, None]
        return second - first[:, :, None] * first[:, None, :]

    def _measure(self, correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
        raise NotImplementedError


@dataclass
class OrthogonalityFrobenius(Orthogonality):
    """O1 = ||P||_F - sqrt(n), P the correlation of the n concepts' heatmaps; 0 is orthogonal, lower is better.

    Source: SRAE paper, section 4.1, metric (2a). Range [0, n - sqrt(n)], the upper end for n equal maps.
    """

    name: ClassVar[str] = "orthogonality_frobenius"

    def _measure(self, correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
        return (torch.linalg.matrix_norm(correlated) - correlated.shape[-1] ** 0.5).clamp(min=0)


@dataclass
class OrthogonalityLogdet(Orthogonality):
    """O2 = -ln det P, P the correlation of the n concepts' heatmaps; 0 is orthogonal, lower is better.

    Source: SRAE paper, section 4.1, metric (2b). Dependent maps have det P = 0; the ridge of 1e-6 on P keeps O2 finite:
    each dependent direction adds up to 13.8.
    """

    name: ClassVar[str] = "orthogonality_logdet"

    def _measure(self, correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
        return -torch.linalg.slogdet(correlated).logabsdet.clamp(max=0)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(OrthogonalityFrobenius)
    register(OrthogonalityLogdet)
