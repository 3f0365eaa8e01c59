"""A task: the images of a dataset, a performer, and the logits of the performer that are explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench import advice, options
from partbench.activations import Activations, TrainingImages
from partbench.advice import advised
from partbench.errors import unknown
from partbench.performer import LayerUnsuited, Performer
from partbench.plugin.dataset import Dataset, Negatives
from partbench.plugin.explainer import Explainer
from partbench.task_name import MULTI, Form, TaskName
from partbench.training_task import TrainingTask
from partbench.types import Batch, Explanation, NegativeMaps, Split

SINGLE: dict[Negatives, Form] = {"random": "single", "others": "others"}  # form of a task, by its negatives
SINGLE_VERSION = "2"  # version 1 of fauna/bird was what fauna/multi:bird is now


@dataclass(frozen=True)
class Task:
    """A dataset, a performer, and which logits are explained. Running, metrics and pictures use it; explainers do not.

    `category` is the category (or attribute task) whose logit is explained, "multi" for those of all categories.
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
    def form(self) -> Form:
        """Which kind of task it is, see TaskName."""
        if self.category == MULTI:
            return "multi"
        return "attribute" if self.explains_attribute else SINGLE.get(self.dataset.negatives, "logit")

    @property
    def name(self) -> str:
        """As TaskName writes it; `@performer` only where it is not the dataset's default."""
        performer = "" if self.performer.name == self.dataset.default_performer else self.performer.name
        return str(TaskName(self.dataset.name, self.form, self.category, performer))

    @cached_property
    def training(self) -> TrainingTask:
        """The part of this task that an explainer's `fit` may see."""
        dataset = self.dataset
        return TrainingTask(
            name=self.name, version=self.version, performer=self.performer, form=self.form,
            explained_categories=tuple(dataset.categories) if self.category == MULTI else (self.category,),
            classes=tuple(dataset.classes),
            part_names=tuple(dataset.part_names), landmark_names=tuple(dataset.landmark_names),
            attribute_names=tuple(dataset.attribute_names),
            fingerprint=f"{dataset.train.fingerprint}|{self.performer.fingerprint}",
            split=TrainingImages(self.activation_cache.token), seed=self.seed,
        )  # fmt: skip

    @property
    def explains_attribute(self) -> bool:
        """Whether an attribute is explained: the performer's outputs are then log-odds of independent attributes."""
        return self.category in self.dataset.attribute_tasks

    def with_seed(self, seed: int) -> Task:
        """The same task for another seed; caches are shared."""
        return replace(self, seed=seed)

    @property
    def device(self) -> torch.device:
        """Where the performer runs; explanations are brought there too."""
        return self.performer.device

    @property
    def explained_categories(self) -> tuple[str, ...]:
        """The category explained; for "multi", all of the dataset's, in its order."""
        return self.training.explained_categories

    @property
    def targets(self) -> tuple[int, ...]:
        """Index among the performer's outputs of the logit of each explained category."""
        return self.training.targets

    @property
    def target(self) -> int | None:
        """Index of the explained logit among the performer's outputs; None for "multi"."""
        return None if self.category == MULTI else self.targets[0]

    def labels(self, split: Split) -> Int[Tensor, "N"]:
        """Class labels of a whole split."""
        return self.activation_cache.split(split).labels

    def category_of(self, labels: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
        """Index of each image's category among the explained ones; -1 for images of none."""
        return self.training.category_of(labels)

    def positive(self, labels: Int[Tensor, "n"]) -> Bool[Tensor, "n"]:
        """Which images show the explained category; for "multi", any explained category."""
        return self.training.positive(labels)

    def batch(self, split: Split, indices: Sequence[int]) -> Batch:
        """Images of a split with their annotations, on `device`."""
        return self.activation_cache.batch(split, indices)

    def batches(self, split: Split, size: int = 32, indices: Sequence[int] | None = None) -> Iterator[Batch]:
        """A split, or its images at `indices`, in batches of `size`, in order."""
        rows = range(len(self.labels(split))) if indices is None else indices
        chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
        yield from self.activation_cache.batches(split, chunks)

    def explain(self, explainer: Explainer, batch: Batch) -> Explanation:
        """The checked explanation that a fitted explainer returns for `batch.images`.

        Raises ValueError for an explanation that does not keep the contract, see `Explanation.accepted`, or that has
        logits of another shape than the task: (n,), or (n, c) where all are explained. Negative maps raise
        LayerUnsuited where an option of the explainer names a layer with values below 0.
        """
        found = explainer.explain(batch.images)
        if type(found) is not Explanation:  # a subclass could check itself
            raise advised(
                ValueError(f"{explainer.name}.explain returned a {type(found).__name__}, expected an Explanation"),
                advice.NO_EXPLANATION,
            )
        parts = self.dataset.part_names or self.dataset.landmark_names
        self._expect_logits(found, len(batch))
        try:
            return found.accepted(len(batch), self.device, len(parts), lambda: explainer.unmasked(batch.images))
        except NegativeMaps:
            self._expect_positive_layers(explainer, batch)
            raise

    def _expect_positive_layers(self, explainer: Explainer, batch: Batch) -> None:
        """Raise LayerUnsuited if an option of the explainer names a layer that has values below 0 for this batch."""
        for layer in map(str, options.resolved(explainer).values()):
            if self.performer.has(layer) and float(batch.images.activations(layer).min()) < 0:
                raise LayerUnsuited(
                    f"{self.performer.in_words(layer)} of {self.performer.name} has values below 0, where maps are "
                    f">= 0; {self.performer.layers_in_words()}"
                )

    def _expect_logits(self, found: Explanation, n: int) -> None:
        wanted = (n,) if self.target is not None else (n, len(self.explained_categories))
        for name, value in (("logits", found.logits), ("explained", found.explained)):
            if value is not None and value.shape != wanted:
                what = "one logit is" if self.target is not None else "the logits of all categories are"
                raise advised(
                    ValueError(f"{name} are {tuple(value.shape)}, expected {wanted}: {what} explained"),
                    advice.LOGIT_AXES,
                )

    def explained(self, batch: Batch) -> Float[Tensor, "n"]:
        """The performer's explained logit of a batch. Raises ValueError for "multi"."""
        return self.training.explained(batch.images)

    def category_logits(self, batch: Batch) -> Float[Tensor, "n k"]:
        """The performer's logits of the explained categories of a batch."""
        return self.training.category_logits(batch.images)

    def batch_without(self, split: Split, indices: Sequence[int], part: str) -> Batch:
        """The same images without a part, on `device`. Raises NotApplicable if the dataset has no such images."""
        return self.activation_cache.adopt(self.activation_cache.split(split).batch_without(indices, part))
