"""What a network that is trained on a dataset has logits for, and the truth that its last layers learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from partbench import Dataset

MOST = 40_000  # training images that layers are fitted to, evenly spaced where there are more
Truth = Int[Tensor, "n"] | Float[Tensor, "n c"]  # classes; or attributes: +1, -1, NaN where unknown


def explains_attribute(dataset: Dataset) -> bool:
    """Whether the dataset was opened for an attribute task: then the network tells all of its attributes."""
    return bool(dataset.categories) and set(dataset.categories) <= set(dataset.attribute_tasks)


def output_names(dataset: Dataset) -> tuple[str, ...]:
    """What there is a logit for: attributes in an attribute task, the category in a single task, else classes."""
    if dataset.negatives:
        return tuple(dataset.categories)
    return tuple(dataset.attribute_names if explains_attribute(dataset) else dataset.classes)


def targets_of(dataset: Dataset) -> dict[str, int]:
    """By category, the place of its logit among `output_names`."""
    own = {name: name for name in dataset.categories}
    explained: Mapping[str, str] = dataset.attribute_tasks if explains_attribute(dataset) else own
    names = output_names(dataset)
    return {category: names.index(name) for category, name in explained.items()}


def training_truth(dataset: Dataset) -> tuple[Int[Tensor, "n"], Truth]:
    """Rows of the training split to learn from, and what is true of them."""
    rows = torch.linspace(0, len(dataset.train) - 1, min(len(dataset.train), MOST)).long()
    known = dataset.train.attributes if explains_attribute(dataset) else dataset.train.labels
    return rows, known[rows]  # type: ignore[index]
