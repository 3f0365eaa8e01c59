"""A task: the images of a dataset, a performer, and the logits of the performer that are explained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench import advice, options
from partbench.activations import Activations, TrainingImages
from partbench.advice import advised
from partbench.errors import InputError, unknown
from partbench.names import before_performer
from partbench.performer import LayerUnsuited, Performer
from partbench.plugin import Dataset, Explainer, Negatives
from partbench.types import Batch, Explanation, Images, NegativeMaps, Split

MULTI = "multi"
ATTRIBUTE = "attribute-"
Form = Literal["single", "others", "multi", "logit", "attribute"]
LOG_ODDS: tuple[Form, ...] = ("attribute", "single", "others")  # forms whose explained logit has no rivals
SINGLE: dict[Negatives, Form] = {"random": "single", "others": "others"}  # form of a task, by its negatives
SINGLE_VERSION = "2"  # version 1 of fauna/bird was what fauna/multi:bird is now


@dataclass(frozen=True)
class TaskName:
    """A task name, `dataset/what[@performer]`: split at the first `/`, then at the last `@`.

    `what` is `multi` (form "multi"), `multi:category` ("logit"), `attribute-x` ("attribute"), `category` ("single") or
    `category:others` ("others"). `category` is the category or the attribute task, "multi" for all; `performer` is ""
    where the name gives none.
    """

    dataset: str
    form: Form
    category: str
    performer: str = ""

    @staticmethod
    def parse(text: str) -> TaskName:
        """Raises InputError for a text that is no task name."""
        if not text.isprintable():  # as in the path of a file; bytes that are no UTF-8 are not either
            raise InputError(f"task {text!a} has characters that cannot be printed; rename what it names")
        dataset, slash, rest = text.partition("/")
        what, at, performer = before_performer(rest)
        if not (dataset and slash and what) or (at and not performer):
            raise InputError(f"'{text}' is no task; expected dataset/what[@performer], as in fauna/multi:bird")
        if what == MULTI:
            return TaskName(dataset, "multi", MULTI, performer)
        if what.startswith(ATTRIBUTE):
            return TaskName(dataset, "attribute", what, performer)
        head, colon, tail = what.partition(":")
        if not colon:
            return TaskName(dataset, "single", what, performer)
        if head == MULTI and tail:
            return TaskName(dataset, "logit", tail, performer)
        if head and tail == "others":
            return TaskName(dataset, "others", head, performer)
        forms = "CATEGORY, CATEGORY:others, multi, multi:CATEGORY or attribute-X"
        raise InputError(f"'{text}' is no task; after {dataset}/ comes {forms}")

    @property
    def what(self) -> str:
        """What stands between `/` and `@`."""
        return {"logit": f"{MULTI}:{self.category}", "others": f"{self.category}:others"}.get(self.form, self.category)

    def __str__(self) -> str:
        return f"{self.dataset}/{self.what}{'@' if self.performer else ''}{self.performer}"


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
