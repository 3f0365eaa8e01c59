"""A dataset as a single task sees it: images of one category, and its negatives."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from partbench.plugin.dataset import OTHER, Dataset, DatasetView, ImageSet, Negatives
from partbench.types import Batch

RandomImages = tuple[ImageSet, ImageSet]  # for training, for testing


class CategorySplit(ImageSet):
    """The images of a split with label `category` (label 1) or one of `negatives` (0), then all `random` images (0).

    What the split knows of its images and nobody knows of random ones is absent there: masks are empty, landmarks,
    boxes and attributes are NaN. The fingerprint differs from that of the split, with category and negatives.
    """

    def __init__(self, images: ImageSet, category: int, negatives: Sequence[int], random: ImageSet | None) -> None:
        self.images, self.random = images, random
        labels = images.labels.cpu()
        shown = labels == category
        self.rows: Int[Tensor, "r"] = torch.nonzero(shown | torch.isin(labels, torch.tensor(negatives))).flatten()
        further = torch.zeros(0 if random is None else len(random), dtype=torch.long)
        self.labels: Int[Tensor, "N"] = torch.cat([shown[self.rows].long(), further])
        self.has_removals = images.has_removals
        self.thread_safe = images.thread_safe and (random is None or random.thread_safe)
        known = [
            "single",
            images.fingerprint,
            str(category),
            str(sorted(negatives)),
            random.fingerprint if random else "",
        ]
        self.fingerprint = hashlib.sha256("|".join(known).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Images of the category and negatives, labelled 1 and 0."""
        return self._gathered(indices, lambda images, rows: images.batch(rows))

    def batch_without(self, indices: Sequence[int], part: str) -> Batch:
        """The same of images without a part; random images have none that could be removed."""

        def lacking(images: ImageSet, rows: Sequence[int]) -> Batch:
            return images.batch_without(rows, part) if images.has_removals else images.batch(rows)

        return self._gathered(indices, lacking)

    def _gathered(self, indices: Sequence[int], read: Any) -> Batch:
        """What `read` makes of images and rows of the split, and of the random images, in the order of `indices`."""
        wanted = torch.tensor(list(indices), dtype=torch.long) % max(1, len(self))
        mine = wanted < len(self.rows)
        own = read(self.images, self.rows[wanted[mine]].tolist()) if mine.any() or not len(wanted) else None
        if not (~mine).any():
            assert own is not None
            return replace(own, labels=self.labels[wanted])
        random = completed(read(self.random, (wanted[~mine] - len(self.rows)).tolist()), self._known)
        if own is None:
            return replace(random, labels=self.labels[wanted])
        order = torch.cat([torch.nonzero(mine), torch.nonzero(~mine)]).flatten().argsort()
        return replace(joined(own, random, order), labels=self.labels[wanted])

    @cached_property
    def _known(self) -> Batch:
        """An image of the split: which fields random images need, and their shapes."""
        return self.images.batch([0])


def completed(batch: Batch, like: Batch) -> Batch:
    """A batch with the fields that `like` has and no others; what is missing is absent on every image."""
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(Batch):
        value, wanted = getattr(batch, field.name), getattr(like, field.name)
        if not isinstance(wanted, Tensor) and wanted is not None:
            fields[field.name] = value
        elif wanted is None or value is not None:
            fields[field.name] = None if wanted is None else value
        else:
            absent = False if wanted.dtype == torch.bool else torch.nan
            fields[field.name] = torch.full((len(batch), *wanted.shape[1:]), absent, dtype=wanted.dtype)
    return Batch(**fields)


def joined(first: Batch, second: Batch, order: Int[Tensor, "n"]) -> Batch:
    """Two batches with the same fields as one; image i of it is image `order[i]` of the first and then the second."""
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(Batch):
        one, other = getattr(first, field.name), getattr(second, field.name)
        fields[field.name] = torch.cat([one, other])[order] if isinstance(one, Tensor) else one
    ids = (*first.ids, *second.ids)
    return Batch(**fields | {"ids": tuple(ids[i] for i in order.tolist())})


class CategoryView(DatasetView):
    """`dataset` as the single task of a category sees it: the category is label 1, its negatives are label 0.

    Negatives "random": the random images, which are those of the dataset's class `other`, or else `random`. "others":
    images of all other classes too.
    """

    def __init__(self, dataset: Dataset, category: str, negatives: Negatives, random: RandomImages | None) -> None:
        super().__init__(dataset)
        self.negatives = negatives
        self.classes, self.categories = (OTHER if negatives == "random" else f"not {category}", category), (category,)
        place, classes = dataset.classes.index(category), range(len(dataset.classes))
        least = {dataset.classes.index(OTHER)} if OTHER in dataset.classes else set()
        wanted = sorted(least if negatives == "random" else {*classes} - {place})
        train, test = random or (None, None)
        self.train = CategorySplit(dataset.train, place, wanted, train)
        self.test = CategorySplit(dataset.test, place, wanted, test)


def through_category(
    dataset: Dataset, category: str, negatives: Negatives, random: RandomImages | None = None
) -> CategoryView:
    """The view of `dataset` for a single task. `random`: its random images, where it has no class `other`."""
    return CategoryView(dataset, category, negatives, random)
