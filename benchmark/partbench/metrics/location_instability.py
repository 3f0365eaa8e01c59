"""Whether a filter's distance to the landmarks is constant, and whether the filter moves with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Float, Int
from torch import Tensor

from partbench import Batch, Explanation, InputError, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import (
    LEAST_ENTRIES,
    FilterValues,
    LocatedImages,
    Measure,
    TopLocations,
    distance_deviation,
    filter_values,
    location_deviations,
    most_active,
    peaks,
    shuffle_gap,
)

UNMASKED = "@unmasked"


@dataclass
class FilterLocations(Metric):
    """What both metrics share: per category, filter and landmark, the images that activate the filter most.

    A filter's position on an image is the centre of the receptive field of the first cell where its map is largest,
    its score the value there. Of the images that have a landmark, the `top` by score enter, of equals the earlier.
    Images where the map is zero show no position and, with `alive_only`, do not enter.

    A landmark on fewer than `least` images of a category does not count. A filter for which fewer than `least` images
    enter for one that counts has no value: few entries deviate less (the expected deviation of 2 is .80 of the true
    one), and a filter alive on a few images that look alike would score well.

    Where the explainer has maps before their masks, `@unmasked` is the reading of these maps, as in the released code.

    top: images of a landmark that enter for a filter, those with the highest scores.
    alive_only: leave out images where the map is zero.
    least: images on which a landmark must be, and that must enter for a filter.
    """

    needs = ("maps", "landmarks")
    of = "concept"

    top: Annotated[int, Ge(3)] = 100
    alive_only: bool = True
    least: Annotated[int, Ge(3)] = LEAST_ENTRIES  # the evidence of an image needs the deviation of two others

    _top: dict[str, dict[int, TopLocations]] = field(init=False, default_factory=dict, repr=False)
    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _many: bool = field(init=False, default=False, repr=False)
    _size: tuple[int, int] = field(init=False, default=(0, 0), repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top < self.least:
            raise InputError(f"{self.name}: top is {self.top}, expected at least least, which is {self.least}")

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where no landmark is to be used."""
        landmarks = _landmarks(batch, outputs)
        category = torch.zeros(len(batch)) if outputs.category is None else outputs.category.cpu()
        self._many = outputs.category_logits is not None and outputs.category_logits.shape[1] > 1
        self._size = batch.size
        numbers = len(self._ids) + torch.arange(len(batch))
        self._ids += batch.ids
        self._add("", explanation, landmarks, category, numbers)
        if explanation.unmasked is not None:
            before = Explanation(explanation.unmasked, grid=explanation.grid)
            self._add(UNMASKED, before, landmarks, category, numbers)

    def _add(
        self, reading: str, explanation: Explanation, landmarks: Float[Tensor, "2 n l"], category: Float[Tensor, "n"],
        numbers: Int[Tensor, "n"],
    ) -> None:  # fmt: skip
        scores, places = peaks(explanation, self._size)
        enters = scores > 0 if self.alive_only else ~scores.isnan()
        found = self._top.setdefault(reading, {})
        for index in category[category >= 0].unique().int().tolist():
            rows = category == index
            top = found.setdefault(index, TopLocations.empty(scores.shape[1], landmarks.shape[2], self.least))
            of_category = LocatedImages(
                scores[rows], places[rows].movedim(-1, 0), landmarks[:, rows], enters[rows], numbers[rows]
            )
            top.add(of_category, self.top)

    def _categories(self, reading: str = "") -> list[TopLocations]:
        """The categories that have a landmark on enough images. Raises NotApplicable if there is none."""
        tops = self._top[reading]
        found = [tops[index] for index in sorted(tops) if tops[index].counted.any()]
        if not found:
            raise NotApplicable(f"no landmark is on {self.least} images of a category")
        return found

    def _instability(self, reading: str = "") -> tuple[FilterValues, Int[Tensor, "k"]]:
        """D of each filter in the category where it is lowest, in units of the diagonal, and that category."""
        categories = self._categories(reading)
        lowest = location_deviations(categories).nan_to_num(nan=torch.inf).argmin(0)
        return self._measured(categories, lowest, distance_deviation), lowest

    def _following(self, reading: str = "") -> FilterValues:
        """The gap of each filter in the category that activates it most, in units of the diagonal."""
        categories = self._categories(reading)
        return self._measured(categories, most_active(categories), shuffle_gap)

    def _measured(self, categories: list[TopLocations], chosen: Int[Tensor, "k"], measure: Measure) -> FilterValues:
        return filter_values(categories, chosen, measure, len(self._ids)).over(math.hypot(*self._size))

    def _scores(self, found: FilterValues) -> Scores:
        units = [str(i) for i in range(len(found.values))]
        return Scores(units, found.values.numpy(), images=self._ids, evidence=found.evidence.numpy())


@dataclass
class LocationInstability(FilterLocations):
    """How much the distance between a filter's position and the landmarks varies over images; lower is better.

    Source: Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", section 5.2.2. D_f = mean over landmarks
    of the standard deviation (n - 1 degrees of freedom) of the distance in px of the network's input, over the diagonal
    of that input, on the 100 images of highest score that have the landmark. Ours: `least` (theirs is 2). In a task
    with many categories a filter gets that of its lowest D (paper, table 6), the value under the plain name; under
    `@max_activation` that whose images activate it most on average (the released code), of those with a landmark.

    A position that never moves scores well: the centre of the image beats published interpretable networks.
    `@shuffled` is D_f expected if the filter's positions were dealt to the images at random, in the category of the
    plain name; what follows a part lies below it. Where that category was the lowest of several, some of the
    difference is selection: `part_following` is free of it. `@images` counts the images entered, mean over landmarks.
    `@few_entries` is the share of filters that have no value because fewer than `least` images entered.
    """

    name = "location_instability"
    version = "2"  # 1 took filters and landmarks of two entries
    higher_is_better = False
    bounds = (0.0, 1.0)

    def compute(self) -> dict[str, Scores]:
        """D per filter, and its variants. Raises NotApplicable if no landmark is on enough images."""
        categories = self._categories()
        instability, lowest = self._instability()
        found = {"": instability}
        if self._many:
            found["@max_activation"] = self._measured(categories, most_active(categories), distance_deviation)
        if UNMASKED in self._top:
            found[UNMASKED] = self._instability(UNMASKED)[0]
        found["@shuffled"] = instability + self._measured(categories, lowest, shuffle_gap)
        scores = {f"{self.name}{variant}": self._scores(values) for variant, values in found.items()}
        entered = torch.stack([top.entered[:, top.counted].double().mean(-1) for top in categories])
        of_lowest = entered.gather(0, lowest[None])[0].numpy()
        scores[f"{self.name}@images"] = Scores([str(i) for i in range(len(of_lowest))], of_lowest)
        few = float(instability.values.isnan().double().mean())
        return scores | {f"{self.name}@few_entries": Scores(value=few)}


@dataclass
class PartFollowing(FilterLocations):
    """How much lower a filter's location instability is than that of its positions shuffled; higher is better.

    Ours; a companion of `location_instability`, which rewards positions that never move. The value: the deviation D_f
    expected if the filter's positions were dealt to the images at random, less the measured one, in units of the
    diagonal of the input. It is 0 for a position that is constant or independent of the object, higher for one that
    moves with it, lower for one that moves against it. In a task with many categories, a filter is judged in the one
    whose images activate it most: a choice by the lowest D would lift independent positions above 0.
    """

    name = "part_following"
    version = "2"  # 1 took filters and landmarks of two entries
    higher_is_better = True
    bounds = (-1.0, 1.0)

    def compute(self) -> dict[str, Scores]:
        """The gap per filter. Raises NotApplicable if no landmark is on enough images."""
        return {f"{self.name}{reading}": self._scores(self._following(reading)) for reading in self._top}


def _landmarks(batch: Batch, outputs: PerformerOutputs) -> Float[Tensor, "2 n l"]:
    """x and y of the landmarks that metrics of location use."""
    if batch.landmarks is None:
        raise NotApplicable("the dataset has no landmarks")
    landmarks = batch.landmarks if outputs.located is None else batch.landmarks[:, list(outputs.located)]
    if not landmarks.shape[1]:
        raise NotApplicable("the dataset names no landmarks for metrics of location")
    return landmarks.float().cpu().movedim(-1, 0)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(LocationInstability)
    register(PartFollowing)
