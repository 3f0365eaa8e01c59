"""A metric at work: from its scores to rows, and the evidence that images give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from partbench import Batch, Explanation, Metric, PerformerOutputs, Scores
from partbench.functional.statistics import bootstrap
from partbench.running.scoring import MetricState, Row, self_reported, unmet

IMAGES = tuple(f"image {i}" for i in range(20))
FILTERS = ("0", "1", "2")
EVIDENCE = np.linspace(0.2, 0.6, 20)  # mean 0.4


@dataclass
class Planted(Metric):
    """The scores that it is given."""

    name: ClassVar[str] = "planted"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    of: ClassVar[Any] = "concept"
    scores: dict[str, Any] = field(default_factory=dict)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        pass

    def compute(self) -> dict[str, Scores]:
        return self.scores


def rows_of(scores: Scores | dict[str, Scores], of: str = "concept") -> list[Row]:
    """The rows of a metric of concepts, or of something else, that has seen the images."""
    metric = Planted({"planted": scores} if isinstance(scores, Scores) else scores)
    metric.of = of  # type: ignore[misc,assignment]
    state = MetricState(metric)
    batch = Batch(IMAGES, torch.zeros(20, 3, 4, 4), torch.zeros(20, dtype=torch.long))
    outputs = PerformerOutputs(torch.zeros(20, 1), torch.ones(20, dtype=torch.bool), 0, None, lambda pixels: pixels)
    state.update(batch, Explanation(torch.ones(20, 3, 2, 2)), outputs)
    return list(state.rows())


def evident(value: float | None = None, **changes: Any) -> Scores:
    usual = {"images": IMAGES, "evidence": EVIDENCE}
    return Scores(FILTERS, [0.3, 0.4, 0.5], value, **(usual | changes))


def test_rows_are_the_aggregate_then_the_units_then_the_evidence_of_the_images() -> None:
    aggregate, *others = rows_of(evident())
    assert (aggregate["unit"], aggregate["unit_kind"], aggregate["images"]) == ("all", "all", 20)
    assert aggregate["value"] == pytest.approx(0.4)
    assert [(row["unit"], row["unit_kind"]) for row in others[:3]] == [(name, "concept") for name in FILTERS]
    assert [(row["unit"], row["unit_kind"]) for row in others[3:]] == [(name, "image") for name in IMAGES]
    assert [row["value"] for row in others[3:]] == EVIDENCE.tolist()
    assert {row["status"] for row in [aggregate, *others]} == {"ok"}


def test_the_interval_is_bootstrapped_over_the_evidence_of_images() -> None:
    aggregate = rows_of(evident())[0]
    assert (aggregate["low"], aggregate["high"]) == bootstrap(EVIDENCE)
    assert rows_of(evident(low=0.1, high=0.9))[0]["low"] == 0.1


@pytest.mark.parametrize("of", ["concept", "part", "pair"])
def test_without_evidence_there_is_an_interval_of_images_only(of: str) -> None:
    scores = Scores(FILTERS, [0.3, 0.4, 0.5])
    aggregate = rows_of(scores, of)[0]
    assert (aggregate["low"], aggregate["high"]) == (None, None)
    aggregate = rows_of(scores, "image")[0]
    assert (aggregate["low"], aggregate["high"]) == bootstrap(np.array([0.3, 0.4, 0.5]))


def test_scores_of_images_in_a_metric_of_concepts_have_an_interval() -> None:
    aggregate, first, *_ = rows_of(Scores(IMAGES, EVIDENCE, of="image"))
    assert (aggregate["low"], first["unit_kind"]) == (bootstrap(EVIDENCE)[0], "image")


@pytest.mark.parametrize("off", [2e-6, 0.1])
def test_evidence_whose_mean_is_not_the_aggregate_fails_the_metric(off: float) -> None:
    (row,) = rows_of(evident(evidence=EVIDENCE + off))
    assert row["status"] == "failed"
    assert f"planted is 0.4, but the mean of its evidence per image is {0.4 + off:.9g}" in row["reason"]
    assert np.isnan(row["value"])


def test_rounding_of_the_evidence_is_no_failure() -> None:
    assert rows_of(evident(evidence=EVIDENCE + 1e-9))[0]["status"] == "ok"


def test_evidence_is_held_against_the_metrics_own_aggregate() -> None:
    assert rows_of(evident(value=0.4))[0]["status"] == "ok"
    assert "planted is 0.5, but" in rows_of(evident(value=0.5))[0]["reason"]


def test_evidence_of_another_number_of_images_fails_the_metric() -> None:
    (row,) = rows_of(evident(images=IMAGES[:5]))
    assert row["status"] == "failed"
    assert "planted has evidence of 20 images and 5 ids of images" in row["reason"]


def test_images_without_evidence_do_not_enter_the_mean_and_keep_their_row() -> None:
    some = np.where(np.arange(20) < 4, np.nan, EVIDENCE)
    aggregate, *others = rows_of(evident(value=float(np.nanmean(some)), evidence=some))
    assert aggregate["status"] == "ok"
    assert sum(np.isnan(row["value"]) for row in others) == 4
    assert aggregate["low"] == bootstrap(some)[0]


@pytest.mark.parametrize("known", [0, 1])
def test_fewer_than_two_images_with_a_value_give_no_interval(known: int) -> None:
    some = np.where(np.arange(20) < known, 0.4, np.nan)
    for scores, of in ((evident(value=0.4, evidence=some), "concept"), (Scores(IMAGES, some), "image")):
        aggregate = rows_of(scores, of)[0]
        assert (aggregate["low"], aggregate["high"]) == (None, None)


def test_variants_have_evidence_of_their_own_and_no_bounds() -> None:
    rows = rows_of({"planted": evident(), "planted@twice": evident(value=2.0, evidence=5 * EVIDENCE)})
    twice = [row for row in rows if row["metric"] == "planted@twice"]
    assert (twice[0]["value"], twice[0]["high_bound"]) == (2.0, None)
    assert twice[-1]["value"] == pytest.approx(3.0)
    assert rows[0]["high_bound"] == 1.0


def test_one_variant_with_wrong_evidence_fails_all_that_the_metric_says() -> None:
    (row,) = rows_of({"planted": evident(), "planted@twice": evident(value=2.0)})
    assert (row["metric"], row["status"]) == ("planted", "failed")
    assert "planted@twice is 2" in row["reason"]


def test_units_without_a_value_are_counted_and_none_with_one_is_a_skip() -> None:
    some = Scores(FILTERS, [np.nan, 0.2, 0.4])
    assert rows_of(some)[0]["reason"] == "1 of 3 concepts have no value"
    none = rows_of(Scores(FILTERS, [np.nan] * 3, images=IMAGES, evidence=np.full(20, np.nan)))[0]
    assert (none["status"], none["reason"]) == ("skipped", "no concept has a value")


def test_an_aggregate_outside_of_the_bounds_fails_and_evidence_outside_of_them_does_not() -> None:
    wide = EVIDENCE + np.where(np.arange(20) % 2, 5.0, -5.0)
    aggregate = rows_of(evident(evidence=wide))[0]
    assert (aggregate["status"], aggregate["low"], aggregate["high"]) == ("ok", 0.0, 1.0)
    (row,) = rows_of(Scores(FILTERS, [1.5] * 3))
    assert "planted is 1.5, outside its bounds (0.0, 1.0)" in row["reason"]


def test_what_is_no_scores_under_the_metrics_name_fails_it() -> None:
    wrong: list[tuple[Any, str]] = [({}, "expected a dict of Scores"), ({"other": evident()}, "named 'other'")]
    for scores, message in wrong:
        (row,) = rows_of(scores)
        assert row["status"] == "failed"
        assert message.replace("'", "") in row["reason"].replace("'", "")


def test_a_missing_field_is_named_and_a_claimed_one_is_noted() -> None:
    batch = Batch(("a",), torch.zeros(1, 3, 4, 4), torch.zeros(1, dtype=torch.long))
    explanation = Explanation(torch.ones(1, 1, 2, 2), parts=torch.zeros(1, dtype=torch.long))
    assert unmet(("maps", "contributions"), explanation, batch) == "the explanation has no contributions"
    assert unmet(("maps", "landmarks"), explanation, batch) == "the dataset has no landmarks"
    assert unmet(("maps",), explanation, batch) == ""
    metric = Planted()
    metric.needs = ("parts",)  # type: ignore[misc]
    assert self_reported(metric, explanation) == "self-reported: parts"
