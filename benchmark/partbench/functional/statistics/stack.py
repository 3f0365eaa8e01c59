"""The evidence of many explainers in one array."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Stack:
    """The evidence of k explainers for one metric of one board, aligned by image.

    A column is an image of a task; columns of a task stand together, and tasks in order.

    values: (k, s, n), NaN where there is none; explainers with fewer than s seeds come first with those they have.
    What is computed from values of single precision is of double precision.
    listed: (k, n), whether an explainer has the image at all, be it without a value.
    seeds: (k, t), the number of seeds of each explainer on each task.
    task, image: (n), numbers of the task and of the image; an image that several tasks show has one number.
    """

    values: Float[np.ndarray, "k s n"]
    listed: Bool[np.ndarray, "k n"]
    seeds: Int[np.ndarray, "k t"]
    task: Int[np.ndarray, "n"]
    image: Int[np.ndarray, "n"]

    def with_zero(self) -> Stack:
        """The same with one more explainer, whose value is 0 on every image: differences to it are values.

        What is known of the others is not found again.
        """
        _, s, n = self.values.shape
        zero = np.full((1, s, n), np.nan, self.values.dtype)
        zero[:, 0] = 0
        seeds = np.concatenate([self.seeds, np.ones_like(self.seeds[:1])])
        values, listed = np.concatenate([self.values, zero]), np.concatenate([self.listed, np.zeros((1, n), bool)])
        found = Stack(values, listed, seeds, self.task, self.image)
        known, means = np.ones((1, n), bool), np.zeros((1, n))
        found.__dict__.update(known=np.concatenate([self.known, known]), means=np.concatenate([self.means, means]))
        return found

    def on(self, tasks: Int[np.ndarray, "u"]) -> Stack:
        """The same on some of the tasks; no explainer has a seed on the others."""
        kept = np.isin(np.arange(self.seeds.shape[1]), tasks)
        if kept.all():
            return self
        columns = kept[self.task]
        return Stack(self.values[..., columns], self.listed[:, columns], self.seeds * kept, self.task[columns],
                     self.image[columns])  # fmt: skip

    @cached_property
    def known(self) -> Bool[np.ndarray, "k n"]:
        """Whether an explainer has a value of the image with all of its seeds."""
        count = (~np.isnan(self.values)).sum(1, dtype=np.int32)
        return (count == self.seeds.astype(np.int32)[:, self.task]) & (count > 0)

    @cached_property
    def means(self) -> Float[np.ndarray, "k n"]:
        """The mean over seeds, per image; 0 where it is not known."""
        total = np.where(np.isnan(self.values), 0, self.values).sum(1, dtype=float)
        return np.where(self.known, total / np.maximum(self.seeds, 1)[:, self.task], 0)

    @cached_property
    def task_means(self) -> Float[np.ndarray, "k t"]:
        """The mean of the values of each explainer on each task, over seeds and images; NaN without a value."""
        known = ~np.isnan(self.values)
        total, count = np.where(known, self.values, 0).sum(1, dtype=float), known.sum(1)
        of_task = (self.task[:, None] == np.arange(self.seeds.shape[1])).astype(float)  # (n, t)
        with np.errstate(invalid="ignore"):
            return (total @ of_task) / (count @ of_task)

    @cached_property
    def patterns(self) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "p"]]:
        """Explainers with the same images and tasks have one pattern: its number for each, and an explainer of each."""
        bits = np.packbits(np.concatenate([self.known, self.listed, self.seeds > 0], axis=1), axis=1)
        first: dict[bytes, int] = {}
        example = np.array([first.setdefault(row.tobytes(), place) for place, row in enumerate(bits)], int)
        found, number = np.unique(example, return_inverse=True)
        return number, found
