from __future__ import annotations

import dataclasses
import math

import pytest

from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.texts import counted, marks, memory, ranks, seconds, span


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0001, "0.1 ms"), (0.002, "2.0 ms"), (0.0123, "12 ms"), (0.1, "0.1 s"), (9.96, "10 s"), (59, "59 s"),
     (90, "1.5 min"), (7200, "2.0 h"), (None, "—")],
)  # fmt: skip
def test_seconds_are_told_in_the_unit_that_fits(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_memory_is_told_in_megabytes_or_gigabytes() -> None:
    assert [memory(950.4), memory(1900), memory(None)] == ["950 MB", "1.9 GB", "—"]


def test_what_is_counted_is_one_or_several() -> None:
    assert [counted(count, "method") for count in range(3)] == ["0 methods", "1 method", "2 methods"]


@pytest.mark.parametrize(
    ("bounds", "text"),
    [((0.0, 1.0), "0 to 1"), ((0.0, math.inf), "at least 0"), ((0.0, None), "at least 0"), ((None, 1.5), "at most 1.5"),
     ((-math.inf, math.inf), "unbounded"), ((None, None), "unbounded")],
)  # fmt: skip
def test_a_range_names_the_bounds_that_there_are(bounds: tuple[float | None, float | None], text: str) -> None:
    assert span(bounds) == text


def test_ranks_are_intervals_and_floors_say_what_they_are(evidence: SiteData) -> None:
    score = evidence.scores[0]
    assert ranks(dataclasses.replace(score, ranks=(2, 4), of=5)) == "2–4"
    assert ranks(dataclasses.replace(score, ranks=(3, 3), of=5)) == "3"
    assert ranks(dataclasses.replace(score, ranks=(1, 1), of=1)) == "alone"
    assert ranks(dataclasses.replace(score, ranks=None, control="floor")) == "floor"
    assert ranks(dataclasses.replace(score, ranks=None, control="")) == "—"


def test_marks_tell_no_evidence_and_one_seed(evidence: SiteData) -> None:
    score = dataclasses.replace(evidence.scores[0], beaten_by_control=True, unsupported=True, one_seed=True)
    assert marks(score) == "†‡¹"
    assert marks(dataclasses.replace(score, beaten_by_control=False, unsupported=False, one_seed=False)) == ""
