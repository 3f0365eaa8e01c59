"""Which published cells are compared with one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from published_cells import Planted, own, published

from partbench.leaderboard.with_published import differing_weights, with_published
from partbench.results.reference.cells import FILES, Reference


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"task_version": "2"}, "published values are of version 1 of the task, these of 2"),
        ({"device": "cuda"}, "published values were computed on cpu, these on cuda"),
        ({"data_fingerprint": "beef"}, "published values are of other data or another performer"),
    ],
)
def test_cells_of_another_task_version_device_or_data_are_left_out(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    reference = published(tmp_path, [Planted("nn", 0.9)], {})
    found = with_published(*own(tmp_path, [Planted("mine", 0.8, changes=changes)]), reference)
    assert (set(found.rows["explainer"]), found.published) == ({"mine"}, frozenset())
    assert found.left_out == (f"fauna/multi:cat: {reason}",)


def test_rows_of_another_version_of_a_metric_are_left_out_alone(tmp_path: Path) -> None:
    theirs = [Planted("nn", 0.9, metrics=("accuracy", "locality"))]
    rows, images = own(tmp_path, [Planted("mine", 0.8, metrics=("accuracy", "locality"))])
    rows["metric_version"] = rows["metric_version"].astype(object).where(rows["metric"] == "accuracy", "2")
    found = with_published(rows, images, published(tmp_path, theirs, {}))
    assert set(found.rows[found.rows["explainer"] == "nn"]["metric"]) == {"accuracy"}
    assert found.left_out == ("locality: published values are of another version of the metric",)


def test_own_rows_stand_for_published_ones_of_the_same_explainer(tmp_path: Path) -> None:
    reference = published(tmp_path, [Planted("nn", 0.9), Planted("random_maps", 0.1, "floor")], {})
    found = with_published(*own(tmp_path, [Planted("nn", 0.5)]), reference)
    assert found.published == {"random_maps"}
    assert found.rows[found.rows["explainer"] == "nn"]["value"].tolist() == [pytest.approx(0.5)]


@pytest.mark.parametrize(("mine", "said"), [("f00", True), ("beef", False), ("", False)])
def test_a_performer_with_other_weights_than_the_published_ones_is_told_if_both_are_known(
    mine: str, said: bool, tmp_path: Path
) -> None:
    reference = published(tmp_path, [Planted("nn", 0.9, digest="beef")], {})
    found = with_published(*own(tmp_path, [Planted("mine", 0.8, digest=mine)]), reference)
    expected = "the weights of small_vgg differ between the results compared, which are of several machines"
    assert found.weights == expected * said
    assert found.published == {"nn"}


def test_performers_of_different_tasks_and_versions_have_different_weights(tmp_path: Path) -> None:
    others = {"task": "fauna/multi:dog"}, {"task_version": "2"}
    planted = [Planted(f"m{n}", 0.8, changes=one, digest=f"f{n}") for n, one in enumerate(({}, *others))]
    assert differing_weights(own(tmp_path, planted)[0]) == ""


def test_files_of_published_cells_that_are_older_than_a_column_lack_its_values(tmp_path: Path) -> None:
    reference = published(tmp_path, [Planted("nn", 0.9, digest="beef")], {})
    path = reference.folder / FILES[0]
    pq.write_table(pq.read_table(path).drop_columns(["performer_digest"]), path)
    found = with_published(*own(tmp_path, [Planted("mine", 0.8, digest="f00")]), Reference.load(reference.folder))
    assert (found.weights, found.published) == ("", {"nn"})
