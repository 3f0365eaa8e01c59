"""The floor of predictions: the mean logit, whatever the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from partbench import Control, Explainer, Explanation, Images, TrainingTask, hookimpl
from partbench_plugins.applicability import fitted


class MeanLogits(NamedTuple):
    """Means over training images: each explained logit, and the shares of a single one on images of its category.

    There is a share for each of the parts that the dataset names, and a single share if it names none.
    """

    logits: Float[Tensor, "c"]
    shares: Float[Tensor, "k"] | None
    has_parts: bool


@dataclass
class MeanLogit(Explainer):
    """Predicts, for every image, the mean of the explained logit over the training images.

    A floor: means over training images are all that it knows of the network. One concept for each part that the
    dataset names (for each landmark where it names no parts, one in all where it names neither) contributes an equal
    share of the mean logit of the category's training images; without the concepts of a part, the logit falls by that
    share. A task that explains all logits has a mean for each of them, and no contributions.
    """

    name: ClassVar[str] = "mean_logit"
    _means: MeanLogits | None = field(init=False, repr=False, compare=False, default=None)

    def fit(self, task: TrainingTask) -> None:
        """Take the means over the training images."""
        logits = task.category_logits().mean(0).to(task.device)
        parts = len(task.part_names or task.landmark_names)
        shares = None
        if task.target is not None:
            of_category = task.explained()[task.positive(task.labels)].mean()
            shares = (of_category / max(1, parts)).repeat(max(1, parts)).to(task.device)
        self._means = MeanLogits(logits, shares, parts > 0)

    def control(self) -> Control:
        """A floor."""
        return "floor"

    def deterministic(self) -> bool:
        """Means of the training images."""
        return True

    def explain(self, images: Images) -> Explanation:
        """The means, and the shares of a single one."""
        means = fitted(self._means)
        logits = means.logits.repeat(len(images), 1)
        if means.shares is None:
            return Explanation(logits=logits)
        shares = means.shares.repeat(len(images), 1)
        return Explanation(
            scores=torch.ones_like(shares),
            contributions=shares,
            logits=logits[:, 0],
            parts=torch.arange(shares.shape[1]) if means.has_parts else None,
            part_drops=shares if means.has_parts else None,
        )


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    """This module's explainer."""
    register(MeanLogit)
