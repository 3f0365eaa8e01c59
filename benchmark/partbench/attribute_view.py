"""A dataset seen through one of its attributes: the images that have it, and those that have it not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partbench.plugin import Dataset, ImageSet
from partbench.types import Batch


@dataclass
class AttributeSplit:
    """A split with other labels: 1 where the image has attribute `column`, 0 where it has not or nobody knows.

    Its fingerprint is that of the images, so that activations kept for one attribute serve them all.
    """

    images: ImageSet
    column: int

    @property
    def fingerprint(self) -> str:
        return self.images.fingerprint

    @property
    def attributes(self) -> Float[Tensor, "N a"]:
        """Of all images, +1 / -1, NaN where unknown; splits of datasets with attribute tasks have them."""
        known: Tensor = self.images.attributes  # type: ignore[attr-defined]
        return known

    @cached_property
    def labels(self) -> Int[Tensor, "N"]:
        """1 for the images that have the attribute."""
        return (self.attributes[:, self.column] > 0).long()

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The same images, labelled by the attribute."""
        return self._labelled(self.images.batch(indices), indices)

    @property
    def batch_without(self) -> Callable[[Sequence[int], str], Batch] | None:
        """The same of images without a part; None where the dataset does not offer it."""
        draw = getattr(self.images, "batch_without", None)
        return draw and (lambda indices, part: self._labelled(draw(indices, part), indices))

    def _labelled(self, batch: Batch, indices: Sequence[int]) -> Batch:
        return replace(batch, labels=self.labels[torch.tensor(list(indices), dtype=torch.long)])


class AttributeView:
    """`dataset` as one of its attribute tasks needs it: its only category is that task's, label 1."""

    def __init__(self, dataset: Any, category: str) -> None:
        self.dataset = dataset
        self.classes: tuple[str, ...] = (f"not {category}", category)
        self.categories: tuple[str, ...] = (category,)
        column = dataset.attribute_names.index(dataset.attribute_tasks[category])
        self.train, self.test = AttributeSplit(dataset.train, column), AttributeSplit(dataset.test, column)

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # while it is being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)


def through_attribute(dataset: Dataset, category: str) -> Dataset:
    """The view of `dataset` for one of its `attribute_tasks`."""
    view: Any = AttributeView(dataset, category)
    return view
