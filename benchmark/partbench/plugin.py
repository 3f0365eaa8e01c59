"""The four kinds of plugin: explainers, metrics, datasets (with their splits) and performers."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from partbench.errors import InputError
from partbench.types import Batch, Explanation, PerformerOutputs, Scores

if TYPE_CHECKING:
    from partbench.performer import Performer
    from partbench.task import Task


class ImageSet(Protocol):
    """A split of a dataset: labels at hand, images read on demand.

    `fingerprint` changes when the data changes. `batch(indices)` must return the same pixels at every call.

    A split of images that are rendered may offer `batch_without(indices, part)`: the same images with one of the
    dataset's `part_names` not painted and nothing else changed, so that what lies behind it appears (masks and
    landmarks are those of the new images; ids differ). It is absent or None where there is no such thing.
    """

    fingerprint: str
    labels: Int[Tensor, "N"]

    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int]) -> Batch: ...


class Dataset(Protocol):
    """A dataset plugin: opened at an image size, it offers two disjoint splits.

    `classes[i]` names label i; `categories` are the classes that are explained one at a time. `landmark_names` and
    `part_names` name the axes of Batch.landmarks and of Batch.masks (or part_boxes); an optional `located` names the
    landmarks that metrics of location use (default: all). `root` is the folder holding the data in its official
    layout, None for embedded data; a missing or broken folder raises `InputError` naming the file.

    A dataset that knows attributes names the axis of Batch.attributes in `attribute_names`; its splits give those of
    all images as `attributes` (N, a). Its `attribute_tasks` map further task categories to the attribute explained:
    the image has it (label 1) or not (0). Where these tasks have other images, `attribute_images` is the class of the
    dataset to open for them, of the same name and with these two members too; it may have another default
    performer. The names of these tasks begin with "attribute-", which gives them a leaderboard of their own; a dataset
    that has attribute tasks alone needs no such names, and has no `categories`.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    default_performer: ClassVar[str]
    needs_root: ClassVar[bool]
    classes: ClassVar[tuple[str, ...]]
    categories: ClassVar[tuple[str, ...]]
    landmark_names: tuple[str, ...]
    part_names: tuple[str, ...]
    size: int
    train: ImageSet
    test: ImageSet


@runtime_checkable
class Explainer(Protocol):
    """A dataclass whose fields are its options.

    `fit(task)` learns from `task.train` and the performer's cached activations; `explain(batch)` may be called for any
    batch afterwards. Raise `NotApplicable` from `fit` for a task that cannot be explained this way.

    Optional, each used where it is there:
    `ablate(batch, concepts)` -> the explained logit (n,), or logits (n, c), without those concepts.
    `report()` -> scalars of its own by name; `name@layer` is the value of one layer, a name that ends in `_share` a
    fraction of 1: a report with values of layers is drawn.
    `before_mask(batch)` -> maps before they were masked, and the masks in [0, 1], both (n, k, h, w); their product is
    `maps`. The picture of filters shows all three.
    `concept_names`, after `fit`: what to call the concepts in pictures, or nothing.
    `baseline()` -> a fitted explainer to draw contributions beside, or None.
    `head(batch)` -> a module that takes maps of these images, (n, k, h, w), to its logits: (n,) or (n, 1), or a column
    for each explained category. Grad-CAM on its maps is drawn beside the performer's.
    """

    name: ClassVar[str]

    def fit(self, task: Task) -> None: ...

    def explain(self, batch: Batch) -> Explanation: ...


class Metric:
    """Base of metrics: a dataclass whose fields are its options; it streams over batches and never keeps pixels.

    `needs` lists the fields of Explanation and Batch without which there is no score. `images` says which images the
    metric is fed: those of the explained category or all. `bounds` is the range of its values; those of a variant may
    leave it. `of` is what one value is of; a metric of "all" has one value for all images and concepts together.

    Options have types that hold their bounds, such as `Annotated[float, Gt(0)]`. A value outside of them raises
    InputError when the metric is made.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ()
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool]
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    of: ClassVar[Literal["image", "concept", "part", "pair", "all"]] = "image"

    def __post_init__(self) -> None:
        _check_options(self)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where the metric cannot serve the task or the explanation."""
        raise NotImplementedError(f"{type(self).__name__} has no method update(batch, explanation, outputs)")

    def compute(self) -> dict[str, Scores]:
        """Scores of all batches so far, by name: the metric's own first, then its variants, as in `name@variant`."""
        raise NotImplementedError(f"{type(self).__name__} has no method compute()")


@dataclass
class ImageMetric(Metric):
    """Base of metrics with a value for each image: a subclass gives the values of a batch, by reading.

    A reading is "" for the metric itself or "@variant" for a variant of it.
    """

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _readings: dict[str, list[np.ndarray]] = field(init=False, default_factory=dict, repr=False)

    def readings(
        self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs
    ) -> dict[str, Float[np.ndarray, "n"]]:
        """The values of the images of a batch, by reading; the same readings for every batch.

        NaN where an image has no value. Masked (numpy.ma) where a reading does not count an image at all.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method readings(batch, explanation, outputs)")

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add the readings of a batch."""
        for reading, values in self.readings(batch, explanation, outputs).items():
            self._readings.setdefault(reading, []).append(values)
        self._ids += batch.ids

    def compute(self) -> dict[str, Scores]:
        """The values of the images that count, by reading."""
        return {f"{self.name}{reading}": self.scores(self.gathered(reading)) for reading in self._readings}

    def gathered(self, reading: str = "") -> np.ma.MaskedArray:
        """The values of a reading of all images so far."""
        values: np.ma.MaskedArray = np.ma.concatenate(self._readings[reading])
        return values

    def scores(self, values: Float[np.ndarray, "n"]) -> Scores:
        """Scores of a value for each image so far; masked ones are left out."""
        counts = ~np.ma.getmaskarray(values)
        ids = tuple(name for name, counted in zip(self._ids, counts, strict=True) if counted)
        return Scores(ids, np.ma.getdata(values)[counts].astype(float))


def _check_options(metric: Metric) -> None:
    """Convert the options of a metric to their types. Raises InputError for a value that a type does not admit."""
    if not dataclasses.is_dataclass(metric):
        return
    hints = typing.get_type_hints(type(metric), include_extras=True)
    for name in [option.name for option in dataclasses.fields(metric) if option.init]:
        value = getattr(metric, name)
        try:
            setattr(metric, name, TypeAdapter(hints[name]).validate_python(value))
        except ValidationError as error:
            wanted = error.errors()[0]["msg"].replace("Input should be", "expected", 1)
            raise InputError(f"{metric.name}: {name} is {value!r}, {wanted[0].lower()}{wanted[1:]}") from error


class PerformerPlugin(Protocol):
    """A performer plugin: opens a performer for a dataset, training and caching what it must."""

    name: ClassVar[str]
    version: ClassVar[str]
    input_size: ClassVar[int]

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer: ...
