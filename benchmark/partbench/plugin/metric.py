"""The base classes of metrics."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float

from partbench.advice import ABSENT, advised
from partbench.options import resolve_options
from partbench.types import Batch, Explanation, PerformerOutputs, Scores


class Metric:
    """Base of metrics: a dataclass whose fields are its options. It gets batch after batch and never stores pixels.

    `needs` lists the fields of Explanation and Batch without which there is no score. `images` says which images the
    metric is fed: those of the explained category or all. `bounds` is the range of its values; those of a variant may
    leave it; `unit` is what they are in ("logits", "px"), for readers. `of` is what one value is of; a metric of "all"
    has one value for all images and concepts together.

    Options have types that hold their bounds, such as `Annotated[float, Gt(0)]`. A value outside of them raises
    InputError when the metric is made.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ()
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool]
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    unit: ClassVar[str] = ""
    of: ClassVar[Literal["image", "concept", "part", "pair", "all"]] = "image"

    def __post_init__(self) -> None:
        """Check the options: see `resolve_options`."""
        if dataclasses.is_dataclass(self):
            resolve_options(self)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where the metric cannot serve the task or the explanation."""
        raise _lacking(self, "update(batch, explanation, outputs)")

    def compute(self) -> dict[str, Scores]:
        """Scores of all batches so far, by name: the metric's own first, then its variants, as in `name@variant`."""
        raise _lacking(self, "compute()")


@dataclass
class ImageMetric(Metric):
    """Base of metrics with one value per image: a subclass returns the values of each batch, by reading.

    A reading is "" for the metric itself or "@variant" for a variant of it.
    """

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _readings: dict[str, list[np.ndarray]] = field(init=False, default_factory=dict, repr=False)

    def readings(
        self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs
    ) -> dict[str, Float[np.ndarray, "n"]]:
        """The values of the images of a batch, by reading; the same readings for every batch.

        NaN where an image has no value. Masked (numpy.ma) where a reading does not count an image at all.
        """
        raise _lacking(self, "readings(batch, explanation, outputs)")

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add the readings of a batch."""
        for reading, values in self.readings(batch, explanation, outputs).items():
            self._readings.setdefault(reading, []).append(values)
        self._ids += batch.ids

    def compute(self) -> dict[str, Scores]:
        """The values of the images that count, by reading."""
        return {f"{self.name}{reading}": self.scores(self.gathered(reading)) for reading in self._readings}

    def gathered(self, reading: str = "") -> np.ma.MaskedArray:
        """The values of a reading of all images so far."""
        values: np.ma.MaskedArray = np.ma.concatenate(self._readings[reading])
        return values

    def scores(self, values: Float[np.ndarray, "n"]) -> Scores:
        """Scores of a value for each image so far; masked ones are left out."""
        counts = ~np.ma.getmaskarray(values)
        ids = tuple(name for name, counted in zip(self._ids, counts, strict=True) if counted)
        return Scores(ids, np.ma.getdata(values)[counts].astype(float))


def _lacking(plugin: object, method: str) -> NotImplementedError:
    return advised(NotImplementedError(f"{type(plugin).__name__} has no method {method}"), ABSENT)
