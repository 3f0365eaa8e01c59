"""What is explained: a performer on a dataset, for one category's logit or for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench.activations import Activations
from partbench.errors import unknown
from partbench.performer import Performer
from partbench.plugin import Dataset
from partbench.types import Batch, Split

MULTI = "multi"


@dataclass(frozen=True)
class Task:
    """A dataset, a performer, and the category whose logit is explained ("multi": all of them).

    `seed` is what an explainer draws its randomness from; the runner also seeds torch and numpy with it.
    """

    dataset: Dataset
    performer: Performer
    category: str
    activation_cache: Activations
    seed: int = 0
    version: str = "1"

    def __post_init__(self) -> None:
        known = {*self.dataset.categories, MULTI}
        if self.category not in known:
            raise unknown(f"category of {self.dataset.name}", self.category, known)

    @property
    def name(self) -> str:
        """`dataset/category`, with `@performer` where it is not the dataset's default."""
        suffix = "" if self.performer.name == self.dataset.default_performer else f"@{self.performer.name}"
        return f"{self.dataset.name}/{self.category}{suffix}"

    @property
    def device(self) -> torch.device:
        """Where the performer runs; explanations live there too."""
        return self.performer.device

    @property
    def target(self) -> int | None:
        """Index of the explained logit among the performer's outputs; None for "multi"."""
        return None if self.category == MULTI else self.performer.targets[self.category]

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell whoever watches how far a long step is."""
        self.activation_cache.progress(what, done, total)

    def with_seed(self, seed: int) -> Task:
        """The same task for another seed; caches are shared."""
        return replace(self, seed=seed)

    @property
    def explained_categories(self) -> tuple[str, ...]:
        """The category explained; for "multi", all of the dataset's, in its order."""
        return tuple(self.dataset.categories) if self.category == MULTI else (self.category,)

    @property
    def targets(self) -> tuple[int, ...]:
        """Index among the performer's outputs of the logit of each explained category."""
        return tuple(self.performer.targets[name] for name in self.explained_categories)

    @property
    def explains_attribute(self) -> bool:
        """Whether an attribute is explained: the performer's outputs are then log-odds, each for itself."""
        return self.category in getattr(self.dataset, "attribute_tasks", ())

    def rivals(self, logits: Float[Tensor, "n c"]) -> tuple[Float[Tensor, "n r"], tuple[int, ...]]:
        """The logits whose largest tells the class of an image, and the index among them of each explained category.

        All of them; but of an attribute, 0 for its absence and its own: other attributes are no rivals.
        """
        if not self.explains_attribute:
            return logits, self.targets
        own = logits[:, self.target]
        return torch.stack((torch.zeros_like(own), own), 1), (1,)

    def category_of(self, labels: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
        """Index of each image's category among the explained ones; -1 for images of none."""
        known = torch.tensor([self.dataset.classes.index(name) for name in self.explained_categories])
        match = labels.cpu()[:, None] == known
        return torch.where(match.any(1), match.int().argmax(1), -1)

    def positive(self, labels: Int[Tensor, "n"]) -> Bool[Tensor, "n"]:
        """Which images show the explained category; for "multi", any explained category."""
        return self.category_of(labels) >= 0

    def labels(self, split: Split = "train") -> Int[Tensor, "N"]:
        """Class labels of a whole split."""
        return self.activation_cache.split(split).labels

    def activations(self, layer: str, batch: Batch | None = None, split: Split = "train") -> Tensor:
        """The performer's activations at a layer (role or name): of a batch (n, ...), or of a whole split (N, ...).

        Those of a split are on the CPU and memory-mapped (index them before computing); of a batch, on `device`.
        """
        if batch is None:
            return self.activation_cache.of_split(split, layer)
        return self.activation_cache.of_batch(batch, layer)

    def explained(self, batch: Batch | None = None, split: Split = "train") -> Float[Tensor, "n"]:
        """The performer's explained logit, of a batch or of a whole split. Raises ValueError for "multi"."""
        if self.target is None:
            raise ValueError(f"{self.name} explains all logits, not one")
        return self.activations("logits", batch, split)[:, self.target]

    def category_logits(self, batch: Batch | None = None, split: Split = "train") -> Float[Tensor, "n k"]:
        """The performer's logits of the explained categories, of a batch or of a whole split."""
        return self.activations("logits", batch, split)[:, list(self.targets)]

    def batch(self, split: Split, indices: Sequence[int]) -> Batch:
        """Images of a split, with all that is known of them, on `device`."""
        batch = self.activation_cache.split(split).batch(indices)
        self.activation_cache.remember(split, list(indices), batch.ids)
        return batch.to(self.device)

    def batches(self, split: Split, size: int = 32, indices: Sequence[int] | None = None) -> Iterator[Batch]:
        """A split, or the images of it at `indices`, batch by batch in order."""
        rows = range(len(self.activation_cache.split(split))) if indices is None else indices
        for start in range(0, len(rows), size):
            yield self.batch(split, rows[start : start + size])
