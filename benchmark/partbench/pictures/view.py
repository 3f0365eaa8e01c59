"""What the pictures of one explainer share: the images shown and their explanation, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float

from partbench.errors import InputError
from partbench.opening import Workbench
from partbench.pictures.top_images import TopImages, top_images
from partbench.plugin.dataset import Dataset
from partbench.plugin.explainer import Explainer
from partbench.task import Task
from partbench.types import Batch, Explanation
from partbench.weight_cache import WeightsAbsent

DISPLAY = 192  # px at least
SHOWN = 6  # concepts, filters, and images of each


@dataclass(frozen=True)
class View:
    """A fitted explainer and the test images, by row of the split, to show it on.

    display: the same dataset at the size to draw at. label: the explainer with its options, by default its name.
    """

    task: Task
    explainer: Explainer
    rows: list[int]
    display: Dataset
    label: str = ""
    _drawn: dict[int, Float[np.ndarray, "H W 3"]] = field(default_factory=dict, repr=False)

    @property
    def named(self) -> str:
        """The explainer, with its options where they are known."""
        return self.label or self.explainer.name

    @property
    def title(self) -> str:
        """The title of the pictures: explainer and task."""
        return f"{self.named} on {self.task.name}"

    @cached_property
    def compared(self) -> list[Explainer]:
        """The explainer and its `baseline()`, if it has one; where training is forbidden, if it is trained already.

        A run forbids it (`weight_cache.training_allowed`), since a baseline can take longer than the cell.
        """
        try:
            baseline = self.explainer.baseline()
        except WeightsAbsent:
            baseline = None
        return [self.explainer, *([baseline] if baseline else [])]

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of parts, or else of landmarks."""
        return tuple(self.task.dataset.part_names or self.task.dataset.landmark_names)

    @cached_property
    def batch(self) -> Batch:
        """The images as the performer sees them."""
        return self.task.batch("test", self.rows)

    @cached_property
    def shown(self) -> Batch:
        """The images at the size that they are drawn at."""
        return self.display.test.batch(self.rows)

    @cached_property
    def explanation(self) -> Explanation:
        """The explanation of the images."""
        return self.task.explain(self.explainer, self.batch)

    @cached_property
    def top(self) -> TopImages:
        """Of each filter the test images that activate it most. Raises NotApplicable where there are no filters."""
        return top_images(self.task, self.explainer, SHOWN)

    def of(self, explainer: Explainer) -> View:
        """The same images for another explainer."""
        return replace(self, explainer=explainer, label="")

    def images(self, rows: Sequence[int]) -> dict[int, Float[np.ndarray, "H W 3"]]:
        """Any test images at the size to draw at, in [0, 1], by row; each is opened once."""
        new = [row for row in dict.fromkeys(rows) if row not in self._drawn]
        if new:
            pixels = self.display.test.batch(new).pixels.permute(0, 2, 3, 1).cpu().numpy().clip(0, 1)
            self._drawn.update(zip(new, pixels, strict=True))
        return {row: self._drawn[row] for row in rows}


def view(
    workbench: Workbench, task: Task, explainer: Explainer, indices: Sequence[int] | None = None, label: str = ""
) -> View:
    """A view of a fitted explainer on these test images, by default four; `label` names it in titles.

    Images that the dataset does not give at the size to draw at are drawn at their own. Raises InputError where none
    are named and there are none of the explained category.
    """
    try:
        display = workbench.resized(task, max(task.dataset.size, DISPLAY))
    except InputError:  # a dataset of one size
        display = task.dataset
    return View(task, explainer, list(indices or choose_images(task, 4)), display, label)


def choose_images(task: Task, count: int) -> list[int]:
    """Test images of the explained category, evenly spaced over the split; those whose parts are known come first.

    Raises InputError if there are none.
    """
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten().tolist()
    if not rows:
        raise InputError(f"{task.name} has no test image of its category; `bench show --image INDEX` draws others")
    candidates = spaced(rows, 4 * count)
    batch = task.dataset.test.batch(candidates)
    known = [row for row, parts in zip(candidates, has_parts(batch), strict=True) if parts]
    return spaced(known if len(known) >= count else rows, count)


def spaced(rows: list[int], count: int) -> list[int]:
    """`count` of the rows, or all, evenly spaced."""
    picks = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return [rows[i] for i in picks]


def has_parts(batch: Batch) -> list[bool]:
    """Which images have part masks or landmarks to draw."""
    if batch.masks is not None:
        return batch.masks.flatten(1).any(1).tolist()
    if batch.landmarks is not None:
        return batch.landmarks.isfinite().flatten(1).any(1).tolist()
    return [False] * len(batch)
