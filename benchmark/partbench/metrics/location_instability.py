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

from partbench import Batch, Explanation, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import TopLocations, location_deviations, most_active, peaks, shuffle_gaps


@dataclass
class FilterLocations(Metric):
    """What both metrics share: per category, filter and landmark, the images that activate the filter most.

    A filter's position on an image is the centre of the receptive field of the first cell where its map is largest,
    its score the value there. Of the images that have a landmark, the `top` by score enter, of equals the earlier.
    Images where the map is zero show no position and, with `alive_only`, do not enter.
    """

    needs = ("maps", "landmarks")
    of = "concept"

    top: Annotated[int, Ge(2)] = 100  # a standard deviation needs two images
    alive_only: bool = True

    _top: dict[int, TopLocations] = field(init=False, default_factory=dict, repr=False)
    _many: bool = field(init=False, default=False, repr=False)
    _diagonal: float = field(init=False, default=float("nan"), repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where no landmark is to be used."""
        size = batch.size
        scores, places = peaks(explanation, size)
        marks = _marks(batch, outputs)
        enters = scores > 0 if self.alive_only else ~scores.isnan()
        category = torch.zeros(len(batch)) if outputs.category is None else outputs.category.cpu()
        self._many = outputs.category_logits is not None and outputs.category_logits.shape[1] > 1
        self._diagonal = math.hypot(*size)
        for index in category[category >= 0].unique().int().tolist():
            rows = category == index
            top = self._top.setdefault(index, TopLocations.empty(scores.shape[1], marks.shape[2]))
            top.add(scores[rows], places[rows].movedim(-1, 0), marks[:, rows], enters[rows], self.top)

    def _categories(self) -> list[TopLocations]:
        """The categories that have a landmark on two images. Raises NotApplicable if there is none."""
        found = [self._top[index] for index in sorted(self._top) if self._top[index].counted.any()]
        if not found:
            raise NotApplicable("no landmark is on two images of a category")
        return found


@dataclass
class LocationInstability(FilterLocations):
    """How much the distance between a filter's position and the landmarks varies over images; lower is better.

    Source: Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", section 5.2.2. D_f = mean over landmarks
    of the standard deviation (n - 1 degrees of freedom) of the distance in px of the network's input, over the diagonal
    of that input, on the 100 images of highest score that have the landmark. A landmark on fewer than two images of a
    category does not count; a filter with fewer than two entries for one that counts has no value. In a task with many
    categories a filter gets that of its lowest D (paper, table 6), the value under the plain name; under
    `@max_activation` that whose images activate it most on average (the released code), of those with a landmark.

    A position that never moves scores well: the centre of the image beats published interpretable networks.
    `@shuffled` is D_f expected if the filter's positions were dealt to the images at random, in the category of the
    plain name; what follows a part lies below it. Where that category was the lowest of several, some of the
    difference is selection: `part_following` is free of it. `@images` counts the images entered, mean over landmarks.
    """

    name = "location_instability"
    higher_is_better = False
    bounds = (0.0, 1.0)

    def compute(self) -> dict[str, Scores]:
        """D per filter, and its variants. Raises NotApplicable if no landmark is on two images."""
        categories = self._categories()
        measured = location_deviations(categories) / self._diagonal
        lowest = measured.nan_to_num(nan=torch.inf).argmin(0)
        instability = _of(lowest, measured)
        found = {"": instability}
        if self._many:
            found["@max_activation"] = _of(most_active(categories), measured)
        found["@shuffled"] = instability + shuffle_gaps(categories, lowest) / self._diagonal
        entered = [top.entered[:, top.counted].double().mean(-1) for top in categories]
        found["@images"] = _of(lowest, torch.stack(entered))
        return {f"{self.name}{variant}": _scores(values) for variant, values in found.items()}


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
    higher_is_better = True
    bounds = (-1.0, 1.0)

    def compute(self) -> dict[str, Scores]:
        """The gap per filter. Raises NotApplicable if no landmark is on two images."""
        categories = self._categories()
        return {self.name: _scores(shuffle_gaps(categories, most_active(categories)) / self._diagonal)}


def _marks(batch: Batch, outputs: PerformerOutputs) -> Float[Tensor, "2 n l"]:
    """x and y of the landmarks that metrics of location use."""
    if batch.landmarks is None:
        raise NotApplicable("the dataset has no landmarks")
    marks = batch.landmarks if outputs.located is None else batch.landmarks[:, list(outputs.located)]
    if not marks.shape[1]:
        raise NotApplicable("the dataset names no landmarks for metrics of location")
    return marks.float().cpu().movedim(-1, 0)


def _of(chosen: Int[Tensor, "k"], values: Float[Tensor, "c k"]) -> Float[Tensor, "k"]:
    return values.gather(0, chosen[None])[0]


def _scores(values: Float[Tensor, "k"]) -> Scores:
    return Scores([str(i) for i in range(len(values))], values.numpy())


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(LocationInstability)
    register(PartFollowing)
