"""A dataset as seen by an attribute task: two classes, images with the attribute and images without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from partbench.plugin.dataset import Dataset, DatasetView, ImageSet
from partbench.types import Batch


class AttributeSplit(ImageSet):
    """A split relabelled by attribute `column`: 1 if the image has it, 0 if it lacks it or if that is unknown.

    Its fingerprint is that of the images, so that all attributes share cached activations. Raises ValueError
    for a split without attributes.
    """

    def __init__(self, images: ImageSet, column: int) -> None:
        if images.attributes is None:
            raise ValueError("a dataset with attribute tasks has a split without attributes")
        self.images, self.fingerprint, self.attributes = images, images.fingerprint, images.attributes
        self.has_removals, self.thread_safe = images.has_removals, images.thread_safe
        self.labels: Int[Tensor, "N"] = (images.attributes[:, column] > 0).long()

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The same images, labelled by the attribute."""
        return self._labelled(self.images.batch(indices), indices)

    def batch_without(self, indices: Sequence[int], part: str) -> Batch:
        """The same images without a part, labelled by the attribute."""
        return self._labelled(self.images.batch_without(indices, part), indices)

    def _labelled(self, batch: Batch, indices: Sequence[int]) -> Batch:
        return replace(batch, labels=self.labels[torch.tensor(list(indices), dtype=torch.long)])


class AttributeView(DatasetView):
    """`dataset` for one of its attribute tasks, which is its only category (label 1)."""

    def __init__(self, dataset: Dataset, category: str) -> None:
        super().__init__(dataset)
        self.attribute_tasks = dataset.attribute_tasks
        self.classes, self.categories = (f"not {category}", category), (category,)
        column = dataset.attribute_names.index(dataset.attribute_tasks[category])
        self.train, self.test = AttributeSplit(dataset.train, column), AttributeSplit(dataset.test, column)


def through_attribute(dataset: Dataset, category: str) -> Dataset:
    """The view of `dataset` for one of its `attribute_tasks`."""
    return AttributeView(dataset, category)
