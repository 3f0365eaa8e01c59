"""Tests of the scores printed after a run."""

from __future__ import annotations

import pandas as pd
import pytest

from partbench.cli.console import counted, reasons_of_skips


def row(metric: str, status: str, reason: str = "", unit: str = "all") -> dict[str, str]:
    return {"metric": metric, "unit": unit, "status": status, "reason": reason}


@pytest.mark.parametrize(
    ("values", "text"), [([3], "1 seed"), ([3, 3], "1 seed"), ([0, 1], "2 seeds"), ([], "0 seeds")]
)
def test_one_value_is_counted_in_the_singular(values: list[int], text: str) -> None:
    assert counted(pd.Series(values, dtype="int64"), "seed") == text


def test_each_reason_for_a_skip_has_its_metrics_once() -> None:
    rows = [
        row("locality", "skipped", "no maps"), row("accuracy", "skipped", "no logits"), row("accuracy", "ok"),
        row("part_following", "skipped", "no maps"), row("locality", "skipped", "no maps"),
        row("precision", "failed", "it raised"), row("locality", "skipped", "of one image", unit="an image"),
    ]  # fmt: skip
    expected = {"no logits": ["accuracy"], "no maps": ["locality", "part_following"]}
    assert reasons_of_skips(pd.DataFrame(rows)) == expected
    assert list(expected) == list(reasons_of_skips(pd.DataFrame(rows)))
