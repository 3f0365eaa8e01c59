"""What an explainer learns from: a task without its test images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench.activations import TrainingImages
from partbench.performer import Performer
from partbench.task_name import Form
from partbench.types import Batch, Images

LOG_ODDS: tuple[Form, ...] = ("attribute", "single", "others")  # forms whose explained logit has no rivals


@dataclass(frozen=True)
class TrainingTask:
    """What an explainer's `fit` gets: the performer, and the training images with their annotations.

    `explained_categories` are those whose logits are explained, `targets` the index of each among the performer's
    outputs. An explainer that draws random numbers seeds them with `random_seed(name)`; Python's, numpy's and torch's
    generators are seeded so before `fit`.
    No attribute leads to annotations of a test image.
    """

    name: str
    version: str
    performer: Performer
    form: Form
    explained_categories: tuple[str, ...]
    classes: tuple[str, ...]
    part_names: tuple[str, ...]
    landmark_names: tuple[str, ...]
    attribute_names: tuple[str, ...]
    fingerprint: str  # changes with the training images, their truth, or the performer
    split: TrainingImages
    seed: int = 0

    def random_seed(self, explainer: str) -> int:
        """The seed of the random numbers of an explainer of that name: 32 bits of a hash of seed, task and name.

        Options do not enter, so that variants of an explainer draw the same numbers. A network that another explainer
        builds on is the same as in a cell of its own.
        """
        drawn = hashlib.sha256(f"{self.seed}|{self.name}|{explainer}".encode()).digest()
        return int.from_bytes(drawn[:4], "big")

    @property
    def device(self) -> torch.device:
        """Where the performer runs."""
        return self.performer.device

    @property
    def targets(self) -> tuple[int, ...]:
        """Index among the performer's outputs of the logit of each explained category."""
        return tuple(self.performer.targets[name] for name in self.explained_categories)

    @property
    def target(self) -> int | None:
        """Index of the explained logit among the performer's outputs; None where a task explains all logits."""
        return None if self.form == "multi" else self.targets[0]

    @property
    def explains_log_odds(self) -> bool:
        """Whether the explained logit stands for itself: above 0 means yes. So do attributes and single tasks."""
        return self.form in LOG_ODDS

    def progress(self, what: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of `what` are done."""
        self.split.progress(what, done, total)

    @property
    def labels(self) -> Int[Tensor, "N"]:
        """Class label of every training image, as in Batch.labels."""
        return self.split.labels

    def category_of(self, labels: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
        """Index of each image's category among the explained ones; -1 for images of none."""
        known = torch.tensor([self.classes.index(name) for name in self.explained_categories])
        match = labels.cpu()[:, None] == known
        return torch.where(match.any(1), match.int().argmax(1), -1)

    def positive(self, labels: Int[Tensor, "n"]) -> Bool[Tensor, "n"]:
        """Which images show an explained category."""
        return self.category_of(labels) >= 0

    def activations(self, layer: str) -> Tensor:
        """The performer's activations (N, ...) of all training images, on the CPU and memory-mapped.

        Index them before computing. Those of other images: `Images.activations`.
        """
        return self.split.activations(layer)

    def explained(self, images: Images | None = None) -> Float[Tensor, "n"]:
        """The performer's explained logit, of images or of all training images (on the CPU).

        Raises ValueError where all logits are explained.
        """
        if self.target is None:
            raise ValueError(f"{self.name} explains all logits, not one")
        return self._logits(images)[:, self.target]

    def category_logits(self, images: Images | None = None) -> Float[Tensor, "n k"]:
        """The performer's logits of the explained categories, of images or of all training images (on the CPU)."""
        return self._logits(images)[:, list(self.targets)]

    def _logits(self, images: Images | None) -> Float[Tensor, "n c"]:
        return self.activations("logits") if images is None else images.activations("logits")

    def rivals(self, logits: Float[Tensor, "n c"]) -> tuple[Float[Tensor, "n r"], tuple[int, ...]]:
        """The logits that compete for an image, and the index among them of the logit of each explained category.

        All of them; but of log-odds, 0 for "no" and the explained logit: other attributes are no rivals.
        """
        if not self.explains_log_odds:
            return logits, self.targets
        own = logits[:, self.target]
        return torch.stack((torch.zeros_like(own), own), 1), (1,)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The training images at these indices, with their annotations."""
        return self.split.batch(indices)

    def batches(self, size: int = 32, indices: Sequence[int] | None = None) -> Iterator[Batch]:
        """The training images, or those at `indices`, with their annotations, in batches of `size`, in order."""
        rows = range(len(self.labels)) if indices is None else indices
        yield from self.split.batches([rows[start : start + size] for start in range(0, len(rows), size)])
