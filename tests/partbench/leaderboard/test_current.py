from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from planted_results import frame, on_all_tasks, row

from partbench.leaderboard.current import current
from partbench.results.schema import COLUMNS


def test_of_two_cells_of_an_explainer_the_newest_counts() -> None:
    old = row("srae", "cat", 9.0, cell="z", created_at=pd.Timestamp("2023-01-01", tz="UTC"))
    assert current(frame([row("srae", "cat", 1.0, cell="a"), old]))["value"].tolist() == [1.0]


@pytest.mark.parametrize("version", ["metric_version", "task_version"])
def test_versions_of_a_metric_or_a_task_are_never_mixed(version: str) -> None:
    rows = [row("srae", "cat", 1.0) | {version: "10"}, row("nn", "cat", 9.0) | {version: "9"}]
    assert current(frame(rows))["explainer"].tolist() == ["srae"]


def test_of_two_files_of_weights_under_one_name_the_one_run_last_counts() -> None:
    task, early = "fauna/multi:cat@vgg_16,weights=mine.pth", pd.Timestamp("2023-01-01", tz="UTC")
    rows = [row("srae", "cat", 9.0, task=task, task_version="1.1.1+ffff9999", created_at=early)]
    rows += [row("nn", "cat", 1.0, task=task, task_version="1.1.1+0000aaaa")]
    for given in (rows, rows[::-1]):
        assert current(frame(given))["explainer"].tolist() == ["nn"]


def test_unit_rows_do_not_count() -> None:
    rows = [row("srae", "cat", 1.0), row("srae", "cat", 9.0, unit="image-1")]
    assert current(frame(rows))["value"].tolist() == [1.0]


def test_rows_that_count_are_returned_unchanged() -> None:
    older = row("srae", "cat", 9.0, created_at=pd.Timestamp("2023-01-01", tz="UTC"))
    rows = current(frame([*on_all_tasks("srae", 0.2), *on_all_tasks("nn", 0.5), older]))
    assert current(rows) is rows
    some = rows[rows["explainer"] == "srae"]
    pd.testing.assert_frame_equal(current(some[list(COLUMNS)]), some.reset_index(drop=True))


def test_what_an_explainer_reports_under_the_name_of_a_metric_does_not_count() -> None:
    rows = [row("lasso", "bird", 0.5), row("cheat", "bird", 0.0, higher_is_better=None)]
    assert set(current(frame(rows))["explainer"]) == {"lasso"}
    assert set(current(frame(rows[1:]))["explainer"]) == {"cheat"}


def test_an_infinite_value_is_no_score() -> None:
    found = current(frame([row("lasso", "bird", 0.5), row("cheat", "bird", float("inf"))]))
    assert dict(zip(found["explainer"], found["scored"], strict=True)) == {"lasso": True, "cheat": False}


@pytest.mark.parametrize("changes", [{"higher_is_better": True}, {"low_bound": 0.9}, {"high_bound": 0.1}])
def test_a_stranger_turns_no_metric_around_and_narrows_no_bounds(changes: dict[str, Any]) -> None:
    known = {"low_bound": 0.0, "high_bound": 1.0}
    rows = [row("lasso", "bird", 0.5, **known), row("cheat", "bird", 0.9, **known | changes, distribution="cheat.py")]
    assert set(current(frame(rows))["explainer"]) == {"lasso"}
    rows[1] |= known | {"higher_is_better": False}
    assert set(current(frame(rows))["explainer"]) == {"lasso", "cheat"}
