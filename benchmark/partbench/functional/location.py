"""How much the distance from a filter's position to the landmarks varies over images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# distances that the null handles at once: a few MB, which stay in the processor's cache
BLOCK = 2**17


def standard_deviation(distances: Float[Tensor, "*r n"]) -> Float[Tensor, "*r"]:
    """Standard deviation over the last axis, with n - 1 degrees of freedom."""
    centred = distances - distances.mean(-1, keepdim=True)
    return (centred.square().sum(-1) / (distances.shape[-1] - 1)).sqrt()


def distance_deviation(entries: Float[Tensor, "4 r n"]) -> Float[Tensor, "r"]:
    """Deviation of the distance between positions (x, y first) and landmarks (x, y next)."""
    x, y = entries[:2] - entries[2:]
    return standard_deviation(torch.hypot(x, y))


def shuffle_gap(entries: Float[Tensor, "4 r n"], seed: int = 0) -> Float[Tensor, "r"]:
    """How much more the distances deviate, on average, when the positions are dealt anew to the landmarks.

    The shuffles are one random permutation and all its cyclic shifts: every position meets every landmark once, and
    the mean is an unbiased estimate of that over all permutations. Positions that are all alike give exactly 0.
    """
    n = entries.shape[2]
    steps = torch.arange(n)
    shuffles = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[(steps[:, None] + steps) % n]
    pairs = steps * n + torch.cat([steps[None], shuffles])  # landmark i and position j are pair i n + j
    gaps = []
    for part in entries.split(max(BLOCK // n**2, 1), dim=1):
        x, y = part[:2, :, None] - part[2:, :, :, None]
        found = standard_deviation(torch.hypot(x, y).flatten(1)[:, pairs])
        gaps.append(found[:, 1:].mean(1) - found[:, 0])
    still = (entries[:2] == entries[:2, :, :1]).all(0).all(-1)
    return torch.cat(gaps).masked_fill(still, 0.0)  # equal positions differ by rounding only


@dataclass
class TopLocations:
    """Of one category, the images that activate a filter most and have a landmark, by filter and landmark.

    entries: score, x and y of the filter's position, x and y of the landmark, best score first; unused slots score
    -inf. images: how many have each landmark. activation: sum of the scores over the `located` images with any.
    """

    entries: Float[Tensor, "5 k l t"]
    images: Int[Tensor, "l"]
    activation: Float[Tensor, "k"]
    located: int = 0

    @staticmethod
    def empty(filters: int, landmarks: int) -> TopLocations:
        """The state before the first image."""
        images = torch.zeros(landmarks, dtype=torch.long)
        return TopLocations(torch.zeros(5, filters, landmarks, 0), images, torch.zeros(filters, dtype=torch.float64))

    @property
    def counted(self) -> Bool[Tensor, "l"]:
        """Landmarks that at least two images have."""
        return self.images >= 2

    @property
    def entered(self) -> Int[Tensor, "k l"]:
        """How many images entered for each filter and landmark."""
        return (self.entries[0] > -torch.inf).sum(-1)

    def add(
        self, scores: Float[Tensor, "n k"], positions: Float[Tensor, "2 n k"], marks: Float[Tensor, "2 n l"],
        enters: Bool[Tensor, "n k"], top: int,
    ) -> None:  # fmt: skip
        """Take the images in and keep the `top` best scores; of equals, those of earlier images."""
        present = marks.isfinite().all(0)
        n, k, marked = *scores.shape, present.shape[1]
        new = torch.empty(5, k, marked, n)
        new[0] = torch.where(enters.T[:, None] & present.T, scores.T[:, None], -torch.inf)
        new[1:3], new[3:] = positions.mT[:, :, None], marks.mT[:, None]
        entries = torch.cat([self.entries, new], -1)
        # numpy's stable sort is fast on what is mostly sorted
        best = torch.from_numpy(np.argsort(-entries[0].numpy(), axis=-1, kind="stable")[..., :top])
        self.entries = entries.gather(-1, best.expand(5, -1, -1, -1))
        self.images = self.images + present.sum(0)
        self.activation = self.activation + scores[present.any(1)].double().sum(0)
        self.located += int(present.any(1).sum())

    def over_landmarks(
        self, measure: Callable[[Float[Tensor, "4 r n"]], Float[Tensor, "r"]], filters: Int[Tensor, "f"]
    ) -> Float[Tensor, "f"]:
        """Mean over the counted landmarks of a measure of some filters; NaN with fewer than two entries for one."""
        rows = self.entries[1:, filters][:, :, self.counted].flatten(1, 2).double()
        entered = self.entered[filters][:, self.counted]
        values = torch.full((rows.shape[1],), torch.nan, dtype=torch.float64)
        for n in entered[entered > 1].unique().tolist():
            alike = entered.flatten() == n
            values[alike] = measure(rows[:, alike, :n])
        return values.view(entered.shape).mean(-1)


def location_deviations(categories: Sequence[TopLocations]) -> Float[Tensor, "c k"]:
    """Of each filter in each category, the mean over landmarks of the deviation of its distance to them, in px."""
    filters = torch.arange(len(categories[0].activation))
    return torch.stack([category.over_landmarks(distance_deviation, filters) for category in categories])


def shuffle_gaps(categories: Sequence[TopLocations], chosen: Int[Tensor, "k"]) -> Float[Tensor, "k"]:
    """Of each filter in the category chosen for it: the mean over landmarks of the `shuffle_gap`, in px."""
    gaps = torch.empty(len(chosen), dtype=torch.float64)
    for index, category in enumerate(categories):
        filters = torch.nonzero(chosen == index).flatten()
        gaps[filters] = category.over_landmarks(shuffle_gap, filters)
    return gaps


def most_active(categories: Sequence[TopLocations]) -> Int[Tensor, "k"]:
    """The category whose images, on average, activate each filter most."""
    return torch.stack([category.activation / category.located for category in categories]).argmax(0)
