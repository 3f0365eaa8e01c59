"""Accuracy with its 95 % interval, of all images and balanced over classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from scipy.stats import binomtest

LEVEL = 0.95


@dataclass(frozen=True)
class Proportion:
    """A fraction and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def accuracy(right: Bool[np.ndarray, "n"]) -> Proportion:
    """The fraction that is right, with Wilson's interval (1927)."""
    found = binomtest(int(right.sum()), len(right)).proportion_ci(LEVEL, method="wilson")
    return Proportion(float(right.mean()), float(found.low), float(found.high))


def balanced_accuracy(right: Bool[np.ndarray, "n"], labels: Int[np.ndarray, "n"]) -> Proportion:
    """The mean over classes of the fraction that is right.

    Its interval joins Wilson's intervals of the classes (MOVER, Zou and Donner 2008): distances of the ends from the
    fractions are added as standard errors are.
    """
    classes = by_class(right, labels, np.unique(labels).tolist())
    value, count = float(np.mean([one.value for one in classes])), len(classes)
    below = np.sqrt(sum((one.value - one.low) ** 2 for one in classes)) / count
    above = np.sqrt(sum((one.high - one.value) ** 2 for one in classes)) / count
    return Proportion(value, max(0.0, float(value - below)), min(1.0, float(value + above)))


def by_class(right: Bool[np.ndarray, "n"], labels: Int[np.ndarray, "n"], wanted: Sequence[int]) -> list[Proportion]:
    """The fraction that is right of each class."""
    return [accuracy(right[labels == label]) for label in wanted]
