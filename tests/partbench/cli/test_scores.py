"""Tests of the scores printed after a run."""

from __future__ import annotations

import pandas as pd
import pytest

from partbench.cli.scores import arrow, beside, counted, reasons, remarks, score_rows


def row(metric: str, status: str, reason: str = "", unit: str = "all") -> dict[str, str]:
    of_cell = {"cell": "1", "explainer": "net", "task": "d/cat", "seed": "0", "higher_is_better": True}
    return {"metric": metric, "unit": unit, "status": status, "reason": reason} | of_cell  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("values", "text"), [([3], "1 seed"), ([3, 3], "1 seed"), ([0, 1], "2 seeds"), ([], "0 seeds")]
)
def test_one_value_is_counted_in_the_singular(values: list[int], text: str) -> None:
    assert counted(pd.Series(values, dtype="int64"), "seed") == text


def test_each_reason_is_a_line_with_its_metrics_and_an_example() -> None:
    rows = [
        row("locality", "skipped", "no maps"), row("accuracy", "skipped", "no logits"), row("accuracy", "ok"),
        row("part_following", "skipped", "no maps"), row("locality", "skipped", "no maps") | {"cell": "2"},
        row("precision", "failed", "it raised; its output: net-1.log"), row("locality", "skipped", "x", unit="image"),
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    assert reasons(frame, "skipped") == [
        "skipped: accuracy (no logits), net on d/cat, seed 0",
        "skipped: locality, part_following (no maps), 2 cells, such as net on d/cat, seed 0",
    ]
    assert reasons(frame, "failed") == ["failed: precision (it raised), net on d/cat, seed 0"]


def test_a_reason_of_all_metrics_does_not_list_them() -> None:
    frame = pd.DataFrame([row(metric, "failed", "killed") for metric in ("locality", "accuracy")])
    assert reasons(frame, "failed") == ["failed: all metrics (killed), net on d/cat, seed 0"]


def scored(metric: str, cell: str, reason: str = "", better: bool | None = None) -> dict[str, object]:
    about = {"explainer": "net", "variant": "", "cell": cell, "higher_is_better": better, "value": 0.5}
    return {**row(metric, "ok", reason), **about}


def test_what_explainers_report_of_themselves_comes_after_the_metrics() -> None:
    rows = [scored("bias", "1"), scored("locality", "1", better=False), scored("accuracy", "1", better=True)]
    [found] = score_rows(pd.DataFrame(rows))
    assert list(found) == ["explainer", f"accuracy{arrow(True)}", f"locality{arrow(False)}", "bias"]


def test_explainers_are_rows_with_the_mean_of_the_cells_that_have_a_value() -> None:
    rows = [scored("accuracy", cell, better=True) for cell in "ab"]
    rows[1]["value"] = float("nan")
    rows += [scored("accuracy", "c", better=True) | {"explainer": "other", "variant": "x=1", "value": 1.0}]
    rows += [row("locality", "skipped", "no maps") | {"value": float("nan"), "variant": ""}]
    found = score_rows(pd.DataFrame(rows))
    assert [list(one.values()) for one in found] == [["net", "0.500 (1 of 2)"], ["other (x=1)", "1.000"]]


@pytest.mark.parametrize("width", [30, 80, 200])
def test_tables_fit_the_width_and_lose_no_metric(width: int) -> None:
    names = [f"metric_{place}" for place in range(20)]
    rows = [{"explainer": "net", **dict.fromkeys(names, "0.500")}]
    blocks = list(beside(rows, names, width))
    assert [name for block in blocks for name in block] == names
    assert all(4 + len("explainer") + sum(len(name) + 3 for name in block) <= width for block in blocks)


def test_remarks_of_explainers_are_told_with_the_number_of_their_cells() -> None:
    rows = [scored("recall", cell, "the network is at chance") for cell in "ab"]
    rows += [scored("recall", "c"), scored("locality", "a", "3 of 9 images have no value", better=False)]
    assert remarks(pd.DataFrame(rows)) == ["net: the network is at chance (recall, 2 cells)"]
