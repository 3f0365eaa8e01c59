"""How much the distance from a filter's position to the landmarks varies over images, with the evidence of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

LEAST_ENTRIES = 10  # the expected deviation of 2 entries is .80 of the true one, that of 10 is .97

# Of rows of n entries (x and y of positions, x and y of landmarks): a value (r,) of each row, and the effect (r, n) of
# each entry on it, which is 0 in the mean over the entries.
Measure = Callable[[Float[Tensor, "4 r n"]], tuple[Float[Tensor, "r"], Float[Tensor, "r n"]]]


def standard_deviation(distances: Float[Tensor, "*r n"]) -> Float[Tensor, "*r"]:
    """Standard deviation over the last axis, with n - 1 degrees of freedom."""
    centred = distances - distances.mean(-1, keepdim=True)
    return (centred.square().sum(-1) / (distances.shape[-1] - 1)).sqrt()


def distance_deviation(entries: Float[Tensor, "4 r n"]) -> tuple[Float[Tensor, "r"], Float[Tensor, "r n"]]:
    """Deviation D of the distance d between positions (x, y first) and landmarks (x, y next); effects of the entries.

    The effect of entry i is the derivative by its weight, (n / (n - 1) (d_i - mean)^2 - D^2) / (2 D); 0 where D = 0.
    """
    x, y = entries[:2] - entries[2:]
    distances = torch.hypot(x, y)
    deviation, n = standard_deviation(distances), distances.shape[-1]
    squares = (distances - distances.mean(-1, keepdim=True)).square() * (n / (n - 1))
    effects = (squares - deviation[:, None].square()) / (2 * deviation[:, None])
    return deviation, effects.masked_fill(deviation[:, None] == 0, 0.0)


@dataclass
class TopLocations:
    """Of one category, the images that activate a filter most and have a landmark, by filter and landmark.

    entries: score, x and y of the filter's position, x and y of the landmark, best score first; unused slots score
    -inf. numbers: the image of each entry. images: how many have each landmark. activation: sum of the scores over the
    `located` images with any. A landmark counts if at least `least` images have it. A filter with fewer entries for a
    landmark that counts has no value.
    """

    entries: Float[Tensor, "5 k l t"]
    numbers: Int[Tensor, "k l t"]
    images: Int[Tensor, "l"]
    activation: Float[Tensor, "k"]
    least: int = LEAST_ENTRIES
    located: int = 0

    @staticmethod
    def empty(filters: int, landmarks: int, least: int = LEAST_ENTRIES) -> TopLocations:
        """The state before the first image."""
        entries, numbers = torch.zeros(5, filters, landmarks, 0), torch.zeros(filters, landmarks, 0, dtype=torch.long)
        images = torch.zeros(landmarks, dtype=torch.long)
        return TopLocations(entries, numbers, images, torch.zeros(filters, dtype=torch.float64), least)

    @property
    def counted(self) -> Bool[Tensor, "l"]:
        """Landmarks that enough images have."""
        return self.images >= self.least

    @property
    def entered(self) -> Int[Tensor, "k l"]:
        """How many images entered for each filter and landmark."""
        return (self.entries[0] > -torch.inf).sum(-1)

    def add(self, images: LocatedImages, top: int) -> None:
        """Take images in and keep the `top` best scores; of equals, those of earlier images."""
        present = images.landmarks.isfinite().all(0)
        n, k, landmarks = *images.scores.shape, present.shape[1]
        new = torch.empty(5, k, landmarks, n)
        new[0] = torch.where(images.enters.T[:, None] & present.T, images.scores.T[:, None], -torch.inf)
        new[1:3], new[3:] = images.positions.mT[:, :, None], images.landmarks.mT[:, None]
        entries = torch.cat([self.entries, new], -1)
        numbers = torch.cat([self.numbers, images.numbers.expand(k, landmarks, -1)], -1)
        # numpy's stable sort is fast on what is mostly sorted
        best = torch.from_numpy(np.argsort(-entries[0].numpy(), axis=-1, kind="stable")[..., :top])
        self.entries, self.numbers = entries.gather(-1, best.expand(5, -1, -1, -1)), numbers.gather(-1, best)
        self.images = self.images + present.sum(0)
        self.activation = self.activation + images.scores[present.any(1)].double().sum(0)
        self.located += int(present.any(1).sum())

    def over_landmarks(
        self, measure: Measure, filters: Int[Tensor, "f"]
    ) -> tuple[Float[Tensor, "f"], Float[Tensor, "f l t"]]:
        """Mean over the counted landmarks of a measure of some filters, NaN without a value; effects of the entries.

        The effects are on that mean, of one image of all images: those of the measure over the number of entries and of
        landmarks. They are 0 for landmarks that do not count and filters without a value.
        """
        rows = self.entries[1:, filters][:, :, self.counted].flatten(1, 2).double()
        entered = self.entered[filters][:, self.counted]
        values = torch.full((rows.shape[1],), torch.nan, dtype=torch.float64)
        effects = torch.zeros(rows.shape[1:], dtype=torch.float64)
        for n in entered[entered >= self.least].unique().tolist():
            alike = entered.flatten() == n
            values[alike], found = measure(rows[:, alike, :n])
            effects[alike, :n] = found / n
        means = values.view(entered.shape).mean(-1)
        every = torch.zeros(len(filters), *self.entries.shape[2:], dtype=torch.float64)
        every[:, self.counted] = effects.view(*entered.shape, effects.shape[-1]) / max(1, entered.shape[1])
        return means, every.masked_fill(means.isnan()[:, None, None], 0.0)


class LocatedImages(NamedTuple):
    """Images of one category: scores and positions (x, y) of filters, landmarks, which images enter, their numbers."""

    scores: Float[Tensor, "n k"]
    positions: Float[Tensor, "2 n k"]
    landmarks: Float[Tensor, "2 n l"]
    enters: Bool[Tensor, "n k"]
    numbers: Int[Tensor, "n"]


@dataclass(frozen=True)
class FilterValues:
    """A value of each filter, NaN where it has none, and the evidence of each image for their mean (see `Scores`)."""

    values: Float[Tensor, "k"]
    evidence: Float[Tensor, "n"]

    def __add__(self, other: FilterValues) -> FilterValues:
        """Sum of two values of the same filters."""
        return FilterValues(self.values + other.values, self.evidence + other.evidence)

    def over(self, unit: float) -> FilterValues:
        """The values and the evidence in units of `unit`."""
        return FilterValues(self.values / unit, self.evidence / unit)


def filter_values(
    categories: Sequence[TopLocations], chosen: Int[Tensor, "k"], measure: Measure, images: int
) -> FilterValues:
    """A measure of each filter in the category chosen for it, and the evidence of `images` images, numbered from 0.

    Evidence of image i of N: the mean over filters with a value of v_fi, which is the mean over landmarks k of
    D_fk + [i among the n entries of f and k] (N / n) effect_fki. The choice of the entries and of the category is held
    fixed. The mean of the evidence is the mean over filters. All is NaN where no filter has a value.
    """
    values = torch.full((len(chosen),), torch.nan, dtype=torch.float64)
    effects = torch.zeros(images, dtype=torch.float64)
    for index, category in enumerate(categories):
        filters = torch.nonzero(chosen == index).flatten()
        values[filters], found = category.over_landmarks(measure, filters)
        effects.index_add_(0, category.numbers[filters].flatten(), found.flatten())
    return FilterValues(values, values.nanmean() + effects * images / (~values.isnan()).sum())


def location_deviations(categories: Sequence[TopLocations]) -> Float[Tensor, "c k"]:
    """Of each filter in each category, the mean over landmarks of the deviation of its distance to them, in px."""
    filters = torch.arange(len(categories[0].activation))
    return torch.stack([category.over_landmarks(distance_deviation, filters)[0] for category in categories])


def most_active(categories: Sequence[TopLocations]) -> Int[Tensor, "k"]:
    """The category whose images, on average, activate each filter most."""
    return torch.stack([category.activation / category.located for category in categories]).argmax(0)
