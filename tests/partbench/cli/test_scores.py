"""Tests of the scores printed after a run."""

from __future__ import annotations

import pandas as pd
import pytest

from partbench.cli.console import counted, reasons_of_skips, remarks, score_rows


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


def scored(metric: str, cell: str, reason: str = "", better: bool | None = None) -> dict[str, object]:
    about = {"explainer": "net", "variant": "", "cell": cell, "higher_is_better": better, "value": 0.5}
    return row(metric, "ok", reason) | about


def test_what_explainers_report_of_themselves_comes_after_the_metrics() -> None:
    rows = [scored("bias", "1"), scored("locality", "1", better=False), scored("accuracy", "1", better=True)]
    assert [row["metric"] for row in score_rows(pd.DataFrame(rows))] == ["accuracy ↑", "locality ↓", "bias"]


def test_remarks_of_explainers_are_told_with_the_number_of_their_cells() -> None:
    rows = [scored("recall", cell, "the network is at chance") for cell in "ab"]
    rows += [scored("recall", "c"), scored("locality", "a", "3 of 9 images have no value", better=False)]
    assert remarks(pd.DataFrame(rows)) == ["net: the network is at chance (recall, 2 cells)"]
