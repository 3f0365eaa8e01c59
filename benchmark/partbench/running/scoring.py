"""A metric at work in one cell: what it is fed, why it has no score where it has none, and its rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from partbench import advice
from partbench.advice import Advice, advice_of, advised
from partbench.errors import in_one_line
from partbench.functional.statistics import bootstrap
from partbench.plugin.metric import Metric
from partbench.types import (
    FIELDS,
    LAZY,
    SELF_REPORTED,
    Batch,
    Explanation,
    NotApplicable,
    PerformerOutputs,
    Scores,
)

LONGEST = 300  # characters of a reason
CUT = " ..."  # at the end of a longer one
ROUNDING = 1e-4  # of float32, by which a value may leave its bounds
EVIDENCE_ROUNDING = 1e-6  # by which the mean of the evidence may differ from the aggregate, absolute and relative
Row = dict[str, Any]


@dataclass
class MetricState:
    """A metric in one cell: how many images it got, its time, why it stopped, if it did, and what would mend it."""

    metric: Metric
    images: int = 0
    seconds: float = 0.0
    status: str = "ok"
    reason: str = ""
    note: str = ""
    advice: Advice | None = None

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. An exception of the metric ends this metric, not the cell."""
        started = time.perf_counter()
        try:
            self._require(batch, explanation)
            self.note = self_reported(self.metric, explanation)
            self.metric.update(batch, explanation, outputs)
            self.images += len(batch)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.stop(error)
        self.seconds += time.perf_counter() - started

    def stop(self, error: BaseException) -> None:
        """Record why there is no score: skipped where it does not apply, failed otherwise."""
        self.status = "skipped" if isinstance(error, NotApplicable) else "failed"
        self.reason, self.advice = describe(error), advice_of(error)

    def rows(self) -> Iterator[Row]:
        """One row per unit value and an aggregate per name; a single row with the reason if there is no score."""
        found: list[Row] = []
        if self.status == "ok" and not self.images:
            self.status, self.reason = "skipped", "the task has no test images for it"
        if self.status == "ok":
            try:
                found = [row for name, scores in self._computed().items() for row in self._scored(name, scores)]
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self.stop(error)
        yield from found or [self._row(self.metric.name, "all", float("nan"))]

    def _computed(self) -> dict[str, Scores]:
        """What the metric computes. Raises ValueError for what is no scores under its name."""
        found, own = self.metric.compute(), self.metric.name
        if not (isinstance(found, dict) and found and all(isinstance(scores, Scores) for scores in found.values())):
            raise advised(
                ValueError(f"compute() returned {found!r:.60}, expected a dict of Scores by name"), advice.SCORES
            )
        if other := [name for name in found if name.partition("@")[0] != own]:
            raise advised(
                ValueError(f"compute() returned scores named {other[0]!r:.60}, expected {own} or {own}@variant"),
                advice.SCORE_NAMES,
            )
        return found

    def _scored(self, name: str, scores: Scores) -> Iterator[Row]:
        values = np.asarray(scores.values, dtype=float)
        missing = int(np.isnan(values).sum())
        value, low, high = scores.value, scores.low, scores.high
        images = len(values) if self.metric.of == "image" and len(values) else self.images
        if value is None:
            value = float(np.nanmean(values)) if missing < len(values) else float("nan")
        evidence = self._evidence(name, float(value), scores)
        if low is None or high is None:
            of_images = (scores.of or self.metric.of) == "image"  # concepts are no random sample
            sample = values if of_images and not len(evidence) else evidence
            low, high = bootstrap(sample)
        if np.isnan(low) or np.isnan(high):
            low, high = None, None
        self._expect_in_bounds(name, float(value))
        row = self._row(name, "all", float(value), low, high) | {"images": images}
        if np.isnan(value) and row["status"] == "ok":
            reason = "there is no value" if self.metric.of == "all" else f"no {self.metric.of} has a value"
            row |= {"status": "skipped", "reason": reason}
        elif missing:
            row["reason"] = f"{missing} of {len(values)} {self.metric.of}s have no value"
        row["reason"] = "; ".join(text for text in (row["reason"], scores.note, self.note) if text)
        yield row
        for unit, unit_value in zip(scores.units, values, strict=True):
            yield self._row(name, unit, float(unit_value), kind=scores.of or self.metric.of)
        for image, of_image in zip(scores.images, evidence, strict=True):
            yield self._row(name, image, float(of_image), kind="image")

    def _evidence(self, name: str, value: float, scores: Scores) -> np.ndarray:
        """The evidence of the images. Raises ValueError where its mean is not the aggregate."""
        evidence = np.asarray(scores.evidence, dtype=float)
        if len(evidence) != len(scores.images):
            raise advised(
                ValueError(f"{name} has evidence of {len(evidence)} images and {len(scores.images)} ids of images"),
                advice.EVIDENCE,
            )
        if len(evidence) and not np.isnan(evidence).all():
            mean = float(np.nanmean(evidence))
            if not np.isclose(mean, value, rtol=EVIDENCE_ROUNDING, atol=EVIDENCE_ROUNDING):
                raise advised(
                    ValueError(f"{name} is {value:.9g}, but the mean of its evidence per image is {mean:.9g}"),
                    advice.EVIDENCE,
                )
        return evidence

    def _expect_in_bounds(self, name: str, value: float) -> None:
        """Raise ValueError for an aggregate of the metric itself that its bounds exclude.

        Variants may leave the bounds, and so may the evidence of single images.
        """
        low, high = self.metric.bounds
        if "@" not in name and (value < low - ROUNDING or value > high + ROUNDING):
            raise advised(ValueError(f"{name} is {value:.6g}, outside its bounds {self.metric.bounds}"), advice.BOUNDS)

    def _row(
        self, name: str, unit: str, value: float, low: float | None = None, high: float | None = None, kind: str = "all"
    ) -> Row:  # fmt: skip
        bounds = (None, None) if "@" in name else self.metric.bounds  # variants may have other bounds
        if low is not None and high is not None and None not in bounds:  # evidence may leave the bounds
            low, high = (float(np.clip(end, *bounds)) for end in (low, high))
        return {
            "metric": name,
            "metric_version": self.metric.version,
            "unit": unit,
            "unit_kind": kind,
            "low_bound": bounds[0],
            "high_bound": bounds[1],
            "value": value,
            "low": low,
            "high": high,
            "higher_is_better": self.metric.higher_is_better,
            "status": self.status,
            "reason": self.reason,
            "images": self.images,
            "score_seconds": self.seconds,
        }

    def _require(self, batch: Batch, explanation: Explanation) -> None:
        if reason := unmet(self.metric.needs, explanation, batch):
            raise NotApplicable(reason)


def unmet(needs: Sequence[str], explanation: Explanation, batch: Batch) -> str:
    """Why a metric with these needs is skipped for this explanation of this batch; "" if it is not."""
    for name in needs:
        if name in (*FIELDS, *LAZY, "parts"):
            if not explanation.has(name):
                return f"the explanation has no {name}"
        elif getattr(batch, name) is None:
            return f"the dataset has no {name}"
    return ""


def self_reported(metric: Metric, explanation: Explanation) -> str:
    """A note that names the self-reported fields of the explanation that a metric reads; "" if there are none.

    `explained` is among them if the explainer supplies the explained logit itself and is no classifier.
    """
    read = [name for name in SELF_REPORTED if name in metric.needs and explanation.has(name)]
    if explanation.has("explained") and not explanation.is_classifier and {"logits", "contributions"} & {*metric.needs}:
        read.insert(0, "explained")
    return f"self-reported: {', '.join(read)}" if read else ""


def describe(error: BaseException) -> str:
    """An exception in one line, which ends in " ..." where it was too long; NotApplicable is its reason alone."""
    text, longest = in_one_line(error), LONGEST + len(type(error).__name__)
    if isinstance(error, NotApplicable):
        text, longest = text.removeprefix(f"{type(error).__name__}: "), LONGEST
    return text if len(text) <= longest else f"{text[: longest - len(CUT)]}{CUT}"
