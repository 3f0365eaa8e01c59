"""Whether a filter keeps its distance to the landmarks of the object, and whether it moves with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench import Batch, Explanation, InputError, NotApplicable, PerformerOutputs, ReceptiveField, Scores, hookimpl

# distances that the null handles at once: a few MB, which stay in the processor's cache
BLOCK = 2**17


def peaks(explanation: Explanation, size: tuple[int, int]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "2 n k"]]:
    """The largest value of each map, and the x and y, in px of an image of `size`, of the first cell that has it."""
    h, w = explanation.maps.shape[-2:]
    flat = explanation.maps.detach().float().cpu().flatten(2)
    cells = torch.from_numpy(flat.numpy().argmax(-1))  # several times faster than torch's on a CPU
    rows = (explanation.grid or ReceptiveField.tiling(h, size[0])).centres(h)
    columns = (explanation.grid or ReceptiveField.tiling(w, size[1])).centres(w)
    return flat.gather(-1, cells[..., None])[..., 0], torch.stack([columns[cells % w], rows[cells // w]])


def deviation(distances: Float[Tensor, "*r n"]) -> Float[Tensor, "*r"]:
    """Standard deviation over the last axis, with n - 1 degrees of freedom."""
    centred = distances - distances.mean(-1, keepdim=True)
    return (centred.square().sum(-1) / (distances.shape[-1] - 1)).sqrt()


def own_deviation(entries: Float[Tensor, "4 r n"]) -> Float[Tensor, "r"]:
    """Deviation of the distance between positions (x, y first) and landmarks (x, y next)."""
    x, y = entries[:2] - entries[2:]
    return deviation(torch.hypot(x, y))


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
        found = deviation(torch.hypot(x, y).flatten(1)[:, pairs])
        gaps.append(found[:, 1:].mean(1) - found[:, 0])
    still = (entries[:2] == entries[:2, :, :1]).all(0).all(-1)
    return torch.cat(gaps).masked_fill(still, 0.0)  # nothing but rounding there


@dataclass
class Kept:
    """What is kept of the images of one category: t entries per filter and landmark, and sums over images.

    entries: score, x and y of the filter's position, x and y of the landmark, best score first; unused slots score
    -inf. images: how many have each landmark. activation: sum of the scores over the `located` images with any.
    """

    entries: Float[Tensor, "5 k l t"]
    images: Int[Tensor, "l"]
    activation: Float[Tensor, "k"]
    located: int = 0

    @staticmethod
    def nothing(filters: int, landmarks: int) -> Kept:
        """No image yet."""
        images = torch.zeros(landmarks, dtype=torch.long)
        return Kept(torch.zeros(5, filters, landmarks, 0), images, torch.zeros(filters, dtype=torch.float64))

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


@dataclass
class FilterLocations:
    """What both metrics share: per category, filter and landmark, the images that activate the filter most.

    A filter's position on an image is the centre of the receptive field of the first cell where its map is largest,
    its score the value there. Of the images that have a landmark, the `top` by score enter, of equals the earlier.
    Images where the map is zero show no position and, with `alive_only`, do not enter.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("maps", "landmarks")
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool]
    bounds: ClassVar[tuple[float, float]]
    unit: ClassVar[str] = "filter"

    top: int = 100
    alive_only: bool = True

    _kept: dict[int, Kept] = field(init=False, default_factory=dict, repr=False)
    _many: bool = field(init=False, default=False, repr=False)
    _diagonal: float = field(init=False, default=float("nan"), repr=False)

    def __post_init__(self) -> None:
        if self.top < 2:
            raise InputError(f"top is {self.top}, expected at least 2: a deviation takes two images")

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where no landmark is to be used."""
        size = batch.size
        scores, positions = peaks(explanation, size)
        marks = _marks(batch, outputs)
        enters = scores > 0 if self.alive_only else ~scores.isnan()
        category = torch.zeros(len(batch)) if outputs.category is None else outputs.category.cpu()
        self._many = outputs.category_logits is not None and outputs.category_logits.shape[1] > 1
        self._diagonal = math.hypot(*size)
        for index in category[category >= 0].unique().int().tolist():
            rows = category == index
            kept = self._kept.setdefault(index, Kept.nothing(scores.shape[1], marks.shape[2]))
            kept.add(scores[rows], positions[:, rows], marks[:, rows], enters[rows], self.top)

    def _categories(self) -> list[Kept]:
        """The categories that have a landmark on two images. Raises NotApplicable if there is none."""
        found = [self._kept[index] for index in sorted(self._kept) if self._kept[index].counted.any()]
        if not found:
            raise NotApplicable("no landmark is on two images of a category")
        return found

    def _instability(self) -> Float[Tensor, "c k"]:
        """Of each filter in each category, in units of the diagonal."""
        categories = self._categories()
        filters = torch.arange(len(categories[0].activation))
        found = [kept.over_landmarks(own_deviation, filters) for kept in categories]
        return torch.stack(found) / self._diagonal

    def _gap(self, chosen: Int[Tensor, "k"]) -> Float[Tensor, "k"]:
        """Of each filter in the category chosen for it: the null less the instability, in units of the diagonal."""
        gap = torch.empty(len(chosen), dtype=torch.float64)
        for index, kept in enumerate(self._categories()):
            filters = torch.nonzero(chosen == index).flatten()
            gap[filters] = kept.over_landmarks(shuffle_gap, filters)
        return gap / self._diagonal

    def _most_active(self) -> Int[Tensor, "k"]:
        """The category whose images, on average, activate each filter most."""
        return torch.stack([kept.activation / kept.located for kept in self._categories()]).argmax(0)


@dataclass
class LocationInstability(FilterLocations):
    """How much the distance between a filter's position and the landmarks varies over images; lower is better.

    Source: Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", section 5.2.2. D_f = mean over landmarks
    of the standard deviation (n - 1 degrees of freedom) of the distance in px of the network's input, over the diagonal
    of that input, on the 100 images of highest score that have the landmark. A landmark on fewer than two images of a
    category does not count; a filter with fewer than two entries for one that counts has no value. In a task with many
    categories a filter gets that of its lowest D (paper, table 6), the value under the plain name; under
    `@max_activation` that whose images activate it most on average (the released code), of those with a landmark.

    Standing still scores well: a constant position at the centre of the image beats published interpretable networks.
    `@shuffled` is D_f expected if the filter's positions were dealt to the images at random, in the category of the
    plain name; what follows a part lies below it. Where that category was the lowest of several, some of the
    difference is selection: `part_following` is free of it. `@images` counts the images entered, mean over landmarks.
    """

    name: ClassVar[str] = "location_instability"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self) -> dict[str, Scores]:
        """D per filter, and its variants. Raises NotApplicable if no landmark is on two images."""
        measured = self._instability()
        lowest = measured.nan_to_num(nan=torch.inf).argmin(0)
        instability = _of(lowest, measured)
        found = {"": instability}
        if self._many:
            found["@max_activation"] = _of(self._most_active(), measured)
        found["@shuffled"] = instability + self._gap(lowest)
        entered = [kept.entered[:, kept.counted].double().mean(-1) for kept in self._categories()]
        found["@images"] = _of(lowest, torch.stack(entered))
        return {f"{self.name}{variant}": _scores(values) for variant, values in found.items()}


@dataclass
class PartFollowing(FilterLocations):
    """How much more a filter keeps its distance to the landmarks than its own positions, shuffled, would.

    Ours; a companion of `location_instability`, which rewards standing still. The deviation D_f expected if the
    filter's positions were dealt to the images at random, less the measured one, in units of the diagonal of the input:
    0 for a position that is constant or independent of the object, higher for one that moves with it, lower for one
    that moves against it. In a task with many categories, a filter is judged in the one whose images activate it most:
    a choice by the lowest D would lift independent positions above 0.
    """

    name: ClassVar[str] = "part_following"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def compute(self) -> dict[str, Scores]:
        """The gap per filter. Raises NotApplicable if no landmark is on two images."""
        return {self.name: _scores(self._gap(self._most_active()))}


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
