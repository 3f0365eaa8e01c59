"""The four kinds of plugin: explainers, metrics, datasets (with their splits) and performers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

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
    `without(batch, concepts)` -> the explained logit (n,), or logits (n, c), without those concepts.
    `report()` -> scalars of its own by name; `name@layer` is the value of one layer, a name that ends in `_share` a
    fraction of 1: a report with values of layers is drawn.
    `unmasked(batch)` -> maps before they were masked, and the masks in [0, 1], both (n, k, h, w); their product is
    `maps`. The picture of filters shows all three.
    `concept_names`, after `fit`: what to call the concepts in pictures, or nothing.
    `baseline()` -> a fitted explainer to draw contributions beside, or None.
    `head(batch)` -> a module that takes maps of these images, (n, k, h, w), to its logits: (n,) or (n, 1), or a column
    for each explained category. Grad-CAM on its maps is drawn beside the performer's.
    """

    name: ClassVar[str]

    def fit(self, task: Task) -> None: ...

    def explain(self, batch: Batch) -> Explanation: ...


@runtime_checkable
class Metric(Protocol):
    """A dataclass whose fields are its options; streams over batches, never keeps pixels.

    `needs` lists fields of Explanation and Batch (and 'explained'); `images` says which images it is fed: those of the
    explained category or all. `compute()` returns Scores per name; a name may carry a variant after '@'
    (`masked_accuracy@gamma=0.01`). `bounds` is the range of a value.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    images: ClassVar[Literal["positive", "all"]]
    higher_is_better: ClassVar[bool]
    bounds: ClassVar[tuple[float, float]]
    unit: ClassVar[str]

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None: ...

    def compute(self) -> dict[str, Scores]: ...


class PerformerPlugin(Protocol):
    """A performer plugin: opens a performer for a dataset, training and caching what it must."""

    name: ClassVar[str]
    version: ClassVar[str]
    input_size: ClassVar[int]

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer: ...
