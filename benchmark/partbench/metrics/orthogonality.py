"""O1 and O2: whether concepts mark different regions, from the correlations of their heatmaps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import Batch, Explanation, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import FLAT, correlation, covariances, excess_norm, mean_covariance, negative_logdet
from partbench.functional.statistics import pseudovalues

IN_MEMORY = 2**26  # bytes of covariances of single images that are held in memory; more go to a temporary file
AT_ONCE = 2**22  # elements of covariances that are computed, and of those without one image measured, at once


@dataclass
class Orthogonality(Metric):
    """What O1 and O2 share: the covariance C of the live concepts' heatmaps over the images of the category.

    Source: SRAE paper, section 4.1, metric (2): C is "aggregated over the dataset"; here the sum over images of the
    covariance over pixels, centred per image, of the heatmaps scaled to sum 1. With `pooled`, one covariance over the
    concatenated pixels of all images. A concept that is zero or flat on every image is dead. It correlates 0 with all,
    which looks perfectly orthogonal, and does not count: `@concepts` is the number of live ones, and `@dead_concepts`
    tells which are dead (1 or 0 each). Fewer than two live concepts have no value.

    The evidence of an image is the jackknife's: the value without it is found for each image, for the concepts alive on
    all images together.

    pooled: one covariance over the pixels of all images, instead of the sum of those of each.
    """

    needs = ("maps",)
    version = "2"  # 1 counted dead concepts
    higher_is_better = False
    bounds = (0.0, float("inf"))
    of = "all"

    pooled: bool = False

    _second: Tensor = field(init=False, default_factory=lambda: torch.zeros(0), repr=False)
    _first: list[Tensor] = field(init=False, default_factory=list, repr=False)
    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _each: IO[bytes] | None = field(init=False, default=None, repr=False)  # covariances of single images, one by one

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where there are fewer than two concepts."""
        k = explanation.maps.shape[1]
        if k < 2:
            raise NotApplicable("one map only: nothing to be orthogonal to")
        if self._each is None:
            self._each = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (it lives as long as the metric)
            self._second = torch.zeros(k, k, dtype=torch.float64)
        size = max(1, AT_ONCE // (k * len(batch)))
        blocks, mass = covariances(explanation.maps, *explanation.upsampling(*batch.size), size)
        first, upper, done = mass.cpu(), torch.empty(len(batch), k * (k + 1) // 2), 0
        for start, covariance in blocks:
            second = covariance.cpu()
            if self.pooled:
                second = second + first[:, start : start + size, None] * first[:, None, :]
            self._second[start : start + size] += second.sum(0)
            rows, columns = torch.triu_indices(second.shape[1], k, start)
            upper[:, done : done + len(rows)] = second[:, rows, columns]
            done += len(rows)
        self._each.write(upper.numpy().tobytes())
        self._first += list(first)
        self._ids += batch.ids

    def compute(self) -> dict[str, Scores]:
        """The value of the live concepts, their number, and which are dead; NaN for fewer than two live ones."""
        first = torch.stack(self._first)
        whole = mean_covariance(self._second, first.sum(0), len(first), self.pooled)
        alive = ~(whole.diagonal() <= FLAT)  # not `> FLAT`: a NaN is not a dead concept
        count = int(alive.sum())
        return {
            self.name: self._scores(whole, alive) if count > 1 else self._no_value(count),
            f"{self.name}@concepts": Scores(value=count),
            f"{self.name}@dead_concepts": Scores(
                [str(i) for i in range(len(alive))], (~alive).double().numpy(), of="concept"
            ),
        }

    def _scores(self, whole: Float[Tensor, "k k"], alive: Bool[Tensor, "k"]) -> Scores:
        value = self._values(whole[None], alive).item()
        left = [self._values(without, alive) for without in self._left_out()]
        evidence = pseudovalues(value, torch.cat(left).numpy()) if left else np.full(len(self._ids), np.nan)
        return Scores(value=value, images=self._ids, evidence=evidence, note=self._note(int(alive.sum())))

    def _no_value(self, count: int) -> Scores:
        missing = np.full(len(self._ids), np.nan)
        return Scores(value=float("nan"), images=self._ids, evidence=missing, note=self._note(count))

    def _note(self, count: int) -> str:
        concepts = len(self._second)
        return f"{count} of {concepts} concepts are alive" if count < concepts else ""

    def _values(self, covariance: Float[Tensor, "d k k"], alive: Bool[Tensor, "k"]) -> Float[Tensor, "d"]:
        return self._measure(correlation(covariance[:, alive][:, :, alive]))

    def _left_out(self) -> Iterator[Float[Tensor, "d k k"]]:
        """The mean covariances without each of the images, some at a time; none of a single image."""
        if self._each is None or len(self._ids) < 2:
            return
        k, first = len(self._second), torch.stack(self._first)
        rows, columns = torch.triu_indices(k, k)
        self._each.seek(0)
        for some in first.split(max(1, AT_ONCE // k**2)):
            packed = np.frombuffer(self._each.read(4 * len(some) * len(rows)), np.float32).reshape(len(some), -1)
            own = torch.zeros(len(some), k, k, dtype=torch.float64)
            own[:, rows, columns] = own[:, columns, rows] = torch.from_numpy(packed.astype(np.float64))
            yield mean_covariance(self._second - own, first.sum(0) - some, len(first) - 1, self.pooled)

    def _measure(self, correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
        raise NotImplementedError


@dataclass
class OrthogonalityFrobenius(Orthogonality):
    """O1 = ||P||_F - sqrt(n), P the correlation of the n live concepts' heatmaps; 0 is orthogonal, lower is better.

    Source: SRAE paper, section 4.1, metric (2a). Range [0, n - sqrt(n)], the upper end for n equal maps.
    """

    name = "orthogonality_frobenius"

    def _measure(self, correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
        return excess_norm(correlated)


@dataclass
class OrthogonalityLogdet(Orthogonality):
    """O2 = -ln det P, P the correlation of the n live concepts' heatmaps; 0 is orthogonal, lower is better.

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
