from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_cells import cell, changed, rows, unsealed

from partbench.results import schema_1
from partbench.results.store import finished, load_results, read_cell, write_cell


def written_by_version_1(folder: Path, **changes: object) -> Path:
    """A cell as the first version wrote it: the columns up to `device` in a single row group."""
    values = rows([0.25, 0.75]) + rows([0.5], metric="location_instability")
    path = write_cell(folder, values, cell(**changes))
    table = unsealed(path).select(list(schema_1.COLUMNS))
    pq.write_table(changed(table, "seed", table["seed"].cast("int32")), path, row_group_size=100)
    return path


def one(folder: Path) -> pd.Series:
    return load_results(folder).iloc[0]


def test_the_first_version_had_the_columns_before_the_schema_was_numbered() -> None:
    assert len(schema_1.COLUMNS) == 29
    assert (schema_1.COLUMNS[0], schema_1.COLUMNS[-1]) == ("cell", "device")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fauna/cat", "fauna/multi:cat"),
        ("fauna/cat@lite0", "fauna/multi:cat@lite0"),
        ("fauna/multi", "fauna/multi"),
        ("fauna/multi@lite0", "fauna/multi@lite0"),
        ("fauna/attribute-wild", "fauna/attribute-wild"),
        ("fauna/attribute-wild@p", "fauna/attribute-wild@p"),
        ("celeba/young", "celeba/attribute-young"),
    ],
)
def test_tasks_have_their_present_names_and_the_same_values(tmp_path: Path, old: str, new: str) -> None:
    dataset = old.partition("/")[0]
    written_by_version_1(tmp_path, task=old, dataset=dataset)
    frame = load_results(tmp_path, aggregates_only=False)
    assert frame["task"].unique().tolist() == [new]
    assert frame["category"].unique().tolist() == ["cat"]
    assert sorted(frame["value"]) == [0.25, 0.5, 0.5, 0.5, 0.75]
    assert frame["schema_version"].unique().tolist() == [1]


def test_kinds_of_units_are_told_from_their_metrics(tmp_path: Path) -> None:
    written_by_version_1(tmp_path)
    frame = load_results(tmp_path, aggregates_only=False)
    kinds = {"locality": ["all", "concept", "concept"], "location_instability": ["all", "concept"]}
    assert frame.groupby("metric", observed=True)["unit_kind"].agg(list).to_dict() == kinds
    expected = {
        "accuracy@performer": "image",
        "locality@empty_maps": "image",
        "location_instability@shuffled": "concept",
        "part_interpretability@part=head": "concept",
        "orthogonality_logdet@dead_concepts": "concept",
        "contribution_error@x": "part",
    }
    assert {metric: schema_1.kind_of_unit(metric, "3") for metric in expected} == expected


@pytest.mark.parametrize(
    ("explainer", "options", "control"),
    [
        ("random_maps", {"concepts": 9}, "floor"),
        ("centre_map", {}, "floor"),
        ("interp_cnn", {"trained": False, "loss": True}, "ablation"),
        ("interp_cnn", {"trained": True, "loss": False}, "ablation"),
        ("interp_cnn", {"trained": True, "loss": True, "mask": False}, ""),
        ("srae", {"loss": False}, ""),
    ],
)
def test_controls_of_the_first_version_are_known(
    tmp_path: Path, explainer: str, options: dict[str, object], control: str
) -> None:
    written_by_version_1(tmp_path, explainer=explainer, options=options)
    assert one(tmp_path)["control"] == control
    assert one(tmp_path)["compared_with"] == ""


def test_files_of_both_versions_are_read_together(tmp_path: Path) -> None:
    written_by_version_1(tmp_path, task="fauna/cat", seed=1)
    write_cell(tmp_path, rows([1.0]), cell(seed=2))
    frame = load_results(tmp_path)
    assert set(frame["task"]) == {"fauna/multi:cat"}
    assert set(frame["seed"]) == {1, 2}


def test_a_cell_of_the_first_version_is_read_alone_and_done_again_by_a_run(tmp_path: Path) -> None:
    path = written_by_version_1(tmp_path)
    assert read_cell(path)["metric"].tolist() == ["locality", "location_instability"]
    assert finished(tmp_path, cell()) is None
    write_cell(tmp_path, rows([1.0]), cell())
    assert one(tmp_path)["schema_version"] == 5


@pytest.mark.parametrize("options", ["no JSON", "[" * 50_000])
def test_a_file_with_options_that_are_none_is_left_out_with_a_warning(tmp_path: Path, options: str) -> None:
    path = written_by_version_1(tmp_path)
    table = pq.read_table(path)
    pq.write_table(changed(table, "options", pa.array([options] * len(table))), path)
    with pytest.warns(UserWarning, match="rows are none of version 1"):
        assert load_results(tmp_path).empty
