from __future__ import annotations

import sys
from pathlib import Path

import pytest
from planted_results import frame, on_all_tasks, row

from partbench.leaderboard.current import current
from partbench.leaderboard.versions import counting, version_of_metric, version_of_task

sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts"))
import versions

STRANGER = {"distribution": "stranger.py"}


def test_the_listed_versions_are_those_of_the_metrics_and_tasks_of_this_partbench() -> None:
    assert versions.PATH.read_text().splitlines() == versions.lines(), "run `python scripts/versions.py`"


def test_variants_of_a_metric_have_its_version_and_what_is_not_ours_has_none() -> None:
    assert version_of_metric("locality@empty_maps") == version_of_metric("locality") != ""
    assert version_of_task("fauna/multi:bird") == version_of_task("fauna/multi:cat") != ""
    assert (version_of_metric("stranger"), version_of_task("stranger/multi"), version_of_task("fauna/multi@x")) == (
        "", "", "",
    )  # fmt: skip


def test_a_newer_version_of_a_stranger_takes_no_result_away() -> None:
    """One cell of a metric or task of version 999: the board is as it was without it."""
    own = [*on_all_tasks("srae", 0.2), *on_all_tasks("nn", 0.5)]
    for version in ("metric_version", "task_version"):
        cheat = [row("cheat", "bird", 0.0, **STRANGER) | {version: "999"}]
        assert set(current(frame([*own, *cheat]))["explainer"]) == {"srae", "nn"}


def test_a_row_of_ours_in_another_version_than_that_of_this_partbench_takes_no_result_away() -> None:
    """A file that takes the place of a metric runs with the floors and srae, which are ours."""
    here = {"metric_version": version_of_metric("locality"), "task_version": version_of_task("fauna/multi:bird")}
    for version in here:
        rows = [row("nn", "bird", 0.2) | here, row("srae", "bird", 0.0) | here | {version: "999"}]
        assert set(current(frame(rows))["explainer"]) == {"nn"}


@pytest.mark.parametrize(
    ("owners", "version"),
    [
        ({"3": {"a.py"}, "4": {"partbench"}}, "3"),  # that of this partbench
        ({"9": {"partbench"}, "10": {"partbench"}, "11": {"a.py"}}, "10"),
        ({"1": {"a.py", "b.py"}, "999": {"c.py"}}, "1"),
        ({"1": {"a.py"}, "2": {"a.py"}}, "2"),
    ],
)
def test_the_version_of_ours_counts_then_the_newest_of_our_explainers_then_that_of_most(
    owners: dict[str, set[str]], version: str
) -> None:
    assert counting(owners, "3") == version
