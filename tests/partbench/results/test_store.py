from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_cells import NOON, RUN, as_version_2, as_version_3, as_version_4, cell, changed, rows, unsealed

from partbench.errors import InputError
from partbench.results.schema import COLUMNS, TEXTS
from partbench.results.store import done, find_cell, finished, load_results, read_cell, with_metric, write_cell


def test_what_is_written_is_read_back_with_its_types(tmp_path: Path) -> None:
    write_cell(tmp_path, rows([0.25, 1 / 3]), cell(seed=7))
    frame = load_results(tmp_path, aggregates_only=False)
    assert tuple(frame.columns) == COLUMNS
    assert frame["unit"].tolist() == ["all", "image-0", "image-1"]
    assert frame["value"].tolist() == [(0.25 + 1 / 3) / 2, 0.25, float(np.float32(1 / 3))]
    assert frame["low"].isna().tolist() == [False, True, True]
    assert frame["created_at"].iloc[0] == pd.Timestamp(NOON)
    assert (frame["seed"].dtype, frame["images"].dtype) == (np.uint64, np.int32)
    assert frame["higher_is_better"].dtype == bool
    assert all(isinstance(frame[name].dtype, pd.CategoricalDtype) for name in TEXTS)
    assert frame["options"].iloc[0] == '{"beta":3.0,"layers":[64,5],"profile":"paper"}'


def test_a_finished_cell_is_never_rewritten_unless_asked(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    before = path.read_bytes()
    assert write_cell(tmp_path, rows([2.0]), cell()) == path
    assert path.read_bytes() == before
    write_cell(tmp_path, rows([2.0]), cell(), overwrite=True)
    assert read_cell(path)["value"].tolist() == [2.0]


def test_a_crash_before_the_rename_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(source: object, target: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write_cell(tmp_path, rows([1.0]), cell())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert finished(tmp_path, cell()) is None


def test_a_crash_while_overwriting_keeps_the_old_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    monkeypatch.setattr(os, "replace", lambda source, target: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(InputError, match="No space left"):
        write_cell(tmp_path, rows([2.0]), cell(), overwrite=True)
    assert read_cell(path)["value"].tolist() == [1.0]
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_cell_is_finished_only_if_its_file_is_readable(tmp_path: Path) -> None:
    assert finished(tmp_path, cell()) is None
    path = write_cell(tmp_path, rows([1.0]), cell())
    assert finished(tmp_path, cell()) == path
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(UserWarning, match="counts as not finished"):
        assert finished(tmp_path, cell()) is None
    write_cell(tmp_path, rows([3.0]), cell())
    assert read_cell(path)["value"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [(("ok", "ok"), False), (("ok", "skipped"), False), (("ok", "failed"), True), (("failed", "failed"), True)],
)
def test_a_cell_is_done_unless_any_of_its_metrics_failed(
    tmp_path: Path, statuses: tuple[str, str], failed: bool
) -> None:
    aggregates = [rows([1.0], metric=name)[0] | {"status": status} for name, status in zip("ab", statuses, strict=True)]
    write_cell(tmp_path, aggregates, cell())
    assert (done(tmp_path, cell()) is None) == failed


def test_a_folder_that_cannot_be_written_is_the_users_mistake_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where the folder should be")
    with pytest.raises(InputError) as caught:
        write_cell(tmp_path / "results", rows([1.0]), cell())
    assert str(tmp_path / "results") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_files_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_cell(tmp_path, rows([1.0]), cell(seed=1))
    truncated = write_cell(tmp_path, rows([2.0]), cell(seed=2))
    truncated.write_bytes(truncated.read_bytes()[:400])
    other = tmp_path / "fauna" / "multi.cat" / "other-schema.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(other)
    with pytest.warns(UserWarning, match="ignored") as caught:
        frame = load_results(tmp_path, aggregates_only=False)
    assert frame["seed"].unique().tolist() == [1]
    for path in (truncated, other):
        assert any(str(path) in str(warning.message) for warning in caught)


def test_a_flipped_byte_among_the_values_is_noticed(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows(list(np.random.default_rng(0).normal(size=500))), cell())
    column = pq.ParquetFile(path).metadata.row_group(1).column(COLUMNS.index("value"))
    damaged = bytearray(path.read_bytes())
    damaged[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match=path.name):
        assert load_results(tmp_path, aggregates_only=False).empty


def test_a_column_of_another_type_is_named(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    table = unsealed(path)
    pq.write_table(changed(table, "seed", table["seed"].cast("string")), path)
    with pytest.warns(UserWarning, match="seed"):
        assert load_results(tmp_path, aggregates_only=False).empty


def test_an_empty_folder_gives_an_empty_frame_with_all_columns(tmp_path: Path) -> None:
    frame = load_results(tmp_path)
    assert frame.empty
    assert tuple(frame.columns) == (*COLUMNS, "asked_at", "file", "submission_status")


def test_a_folder_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing.*bench run"):
        load_results(tmp_path / "nothing")


def test_hidden_folders_are_left_out(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    hidden = tmp_path / ".index" / path.name
    hidden.parent.mkdir()
    hidden.write_bytes(path.read_bytes())
    assert len(load_results(tmp_path)) == 1
    assert find_cell(tmp_path, cell().key)["explainer"] == "srae"


def test_optional_columns_have_defaults_and_keep_what_they_are_given(tmp_path: Path) -> None:
    write_cell(tmp_path, rows([1.0]), cell(plugin_digest="c0de"))
    about = {"control": "ablation", "compared_with": "nn (beta=2)", "low_bound": 0.0, "high_bound": 1.0, "threads": 3}
    about |= {"source_commit": "abc+dirty", "host": "h", "torch_version": "2.1"}
    write_cell(tmp_path, [{**row, **about, "unit_kind": "image"} for row in rows([1.0])], cell(seed=1))
    frame = load_results(tmp_path, aggregates_only=False).sort_values(["seed", "unit"])
    plain, full = (frame[frame["seed"] == seed] for seed in (0, 1))
    assert plain["schema_version"].tolist() == [5, 5]
    assert plain["unit_kind"].tolist() == ["all", ""]
    assert (plain["plugin_version"].iloc[0], plain["plugin_digest"].iloc[0]) == ("0.1.0", "c0de")
    assert plain["threads"].tolist() == [0, 0]
    assert plain["low_bound"].isna().all()
    assert plain.iloc[0][["control", "compared_with", "source_commit", "host", "torch_version"]].tolist() == [""] * 5
    assert full.iloc[0][list(about)].to_dict() == about
    assert full["unit_kind"].tolist() == ["all", "image"]


def test_aggregates_are_the_first_row_group_in_whatever_order_rows_came(tmp_path: Path) -> None:
    path = write_cell(tmp_path, [*reversed(rows([1.0, 2.0])), *rows([3.0], metric="accuracy")], cell())
    file = pq.ParquetFile(path)
    assert file.read_row_group(0, columns=["metric"])["metric"].to_pylist() == ["locality", "accuracy"]
    assert [set(file.read_row_group(i)["unit"].to_pylist()) == {"all"} for i in range(2)] == [True, False]


def test_a_flip_among_the_values_is_noticed_when_only_aggregates_are_asked_for(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0, 2.0]), cell())
    column = pq.ParquetFile(path).metadata.row_group(1).column(COLUMNS.index("value"))
    damaged = bytearray(path.read_bytes())
    damaged[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match="SHA-256"):
        assert load_results(tmp_path).empty


def test_rows_without_an_aggregate_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lack an aggregate"):
        write_cell(tmp_path, rows([1.0])[1:], cell())


def written_by_a_newer_version(folder: Path) -> Path:
    """A cell of schema 6, which has one more column."""
    path = write_cell(folder, rows([1.0]), cell())
    table = unsealed(path)
    table = changed(table, "schema_version", pa.array([6] * len(table), pa.int32()))
    pq.write_table(table.append_column("mood", pa.array(["good"] * len(table))), path)
    return path


def test_a_file_of_a_newer_schema_is_left_out_with_a_warning_that_says_so(tmp_path: Path) -> None:
    path = written_by_a_newer_version(tmp_path)
    write_cell(tmp_path, rows([2.0]), cell(seed=1))
    with pytest.warns(UserWarning, match="schema 6, newer than 5; upgrade partbench") as caught:
        assert load_results(tmp_path)["seed"].tolist() == [1]
    assert str(path) in str(caught[0].message)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_of_a_newer_schema_is_never_overwritten(tmp_path: Path, overwrite: bool) -> None:
    before = written_by_a_newer_version(tmp_path).read_bytes()
    with pytest.raises(InputError, match="newer than 5"):
        write_cell(tmp_path, rows([2.0]), cell(), overwrite)
    with pytest.raises(InputError, match="newer than 5"):
        finished(tmp_path, cell())
    assert cell().path(tmp_path).read_bytes() == before


def test_a_cell_of_version_3_is_finished_and_its_network_is_unknown(tmp_path: Path) -> None:
    planted = [row | {"network": "interp_cnn", "deterministic": True} for row in rows([1.0, 2.0])]
    path = as_version_3(write_cell(tmp_path, planted, cell()))
    assert finished(tmp_path, cell()) == path
    frame = load_results(tmp_path)
    assert (frame["schema_version"].tolist(), frame["value"].tolist()) == ([3], [1.5])
    assert frame[["network", "deterministic"]].isna().all(axis=None)


def test_a_cell_of_version_4_is_finished_and_where_it_was_made_is_unknown(tmp_path: Path) -> None:
    planted = [row | {"network": "n", "processor": "p", "performer_digest": "f00"} for row in rows([1.0, 2.0])]
    path = as_version_4(write_cell(tmp_path, planted, cell()))
    assert finished(tmp_path, cell()) == path
    frame = load_results(tmp_path)
    assert frame[["schema_version", "value", "network"]].values.tolist() == [[4, 1.5, "n"]]
    assert frame[["processor", "performer_digest"]].isna().all(axis=None)
    assert len(load_results(tmp_path, aggregates_only=False)) == 3


def test_a_metric_added_to_a_cell_of_version_4_tells_where_it_was_made_and_the_others_do_not(tmp_path: Path) -> None:
    path = as_version_4(write_cell(tmp_path, rows([1.0, 2.0]), cell()))
    path.write_bytes(with_metric(path, [row | {"processor": "p"} for row in rows([3.0], "accuracy")], cell()))
    found = load_results(tmp_path).set_index("metric")["processor"]
    assert (found["accuracy"], found.isna()["locality"]) == ("p", True)


def test_the_network_that_is_explained_is_kept(tmp_path: Path) -> None:
    planted = [row | {"network": "interp_cnn", "deterministic": True} for row in rows([1.0, 2.0])]
    write_cell(tmp_path, planted, cell())
    assert load_results(tmp_path)[["network", "deterministic"]].values.tolist() == [["interp_cnn", True]]


@pytest.mark.parametrize("version", [None, 0, 1])
def test_a_file_with_a_version_that_never_was_is_named_in_a_warning(tmp_path: Path, version: int | None) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    table = unsealed(path)
    pq.write_table(changed(table, "schema_version", pa.array([version] * len(table), pa.int32())), path)
    with pytest.warns(UserWarning, match="schema_version is"):
        assert load_results(tmp_path).empty


def test_only_aggregates_are_read_when_only_they_are_asked_for(tmp_path: Path) -> None:
    for seed in range(3):
        write_cell(tmp_path, rows([1.0, 2.0]) + rows([3.0, 5.0], metric="accuracy"), cell(seed=seed))
    frame = load_results(tmp_path)
    assert set(frame["unit"]) == {"all"}
    assert sorted(frame["value"]) == [1.5] * 3 + [4.0] * 3


def test_some_columns_are_those_of_all_in_the_order_asked_for(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_cell(tmp_path, rows([1.0, 2.0]), cell(seed=seed))
    columns = ["value", "cell", "asked_at", "metric"]
    found = load_results(tmp_path, columns=columns)
    pd.testing.assert_frame_equal(found, load_results(tmp_path)[[*columns, "submission_status"]])


def test_only_the_folders_of_named_datasets_are_read(tmp_path: Path) -> None:
    write_cell(tmp_path, rows([1.0]), cell())
    write_cell(tmp_path, rows([2.0]), cell(task="animal part/multi:cat", dataset="animal part"))
    (tmp_path / "fauna" / "torn.parquet").write_bytes(b"PAR1")
    assert set(load_results(tmp_path, aggregates_only=False, datasets=["animal part"])["dataset"]) == {"animal part"}
    with pytest.warns(UserWarning, match=r"torn\.parquet"):
        assert len(load_results(tmp_path, aggregates_only=False, datasets=["fauna", "animal part"])) == 4
    assert load_results(tmp_path, aggregates_only=False, datasets=[]).empty


def test_a_skipped_metric_leaves_a_row_with_its_reason(tmp_path: Path) -> None:
    row = {**RUN, "metric": "locality", "unit": "all", "value": None, "status": "skipped", "reason": "no maps"}
    write_cell(tmp_path, [row], cell())
    found = load_results(tmp_path, aggregates_only=False).iloc[0]
    assert (found["status"], found["reason"], np.isnan(found["value"])) == ("skipped", "no maps", True)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"colour": "red"}, "colour"), ({"metric": None}, "lack metric"), ({"seed": 5}, "seed '5', expected '0'")],
)
def test_rows_that_do_not_fit_the_cell_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_cell(tmp_path, [{**rows([1.0])[0], **change}], cell())


def test_two_thousand_rows_of_noise_take_less_than_twenty_five_kilobytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    every = [row for i in range(8) for row in rows(list(random.normal(size=249)), metric=f"metric_{i}")]
    assert len(every) == 2000
    assert write_cell(tmp_path, every, cell()).stat().st_size < 25_000


def test_a_cell_is_found_by_the_beginning_of_its_key_or_by_its_file(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell(seed=4))
    assert find_cell(tmp_path, cell(seed=4).key[:6])["seed"] == 4
    assert find_cell(tmp_path, str(path))["explainer"] == "srae"
    with pytest.raises(InputError, match="no cell 'zzz'"):
        find_cell(tmp_path, "zzz")
    write_cell(tmp_path, rows([1.0]), cell(seed=5))
    with pytest.raises(InputError, match="could be 2 cells"):
        find_cell(tmp_path, "")


def test_a_cell_of_version_2_counts_as_finished_and_is_read_as_it_is(tmp_path: Path) -> None:
    path = as_version_2(write_cell(tmp_path, rows([1.0, 2.0]), cell(seed=4)))
    before = path.read_bytes()
    assert finished(tmp_path, cell(seed=4)) == path
    assert write_cell(tmp_path, rows([9.0]), cell(seed=4)) == path
    assert path.read_bytes() == before
    frame = load_results(tmp_path)
    assert (frame["schema_version"].tolist(), frame["seed"].tolist(), frame["value"].tolist()) == ([2], [4], [1.5])
    write_cell(tmp_path, rows([3.0]), cell(seed=2**64 - 1))
    assert set(load_results(tmp_path, aggregates_only=False)["seed"]) == {4, 2**64 - 1}


def test_a_file_of_the_present_version_without_its_digest_is_damaged(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    pq.write_table(unsealed(path), path)
    with pytest.warns(UserWarning, match="no digest"):
        assert finished(tmp_path, cell()) is None


@pytest.mark.parametrize("seed", [0, 2**31, 2**63, 2**64 - 1])
def test_seeds_of_64_bits_are_written_and_read(tmp_path: Path, seed: int) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell(seed=seed))
    assert load_results(tmp_path)["seed"].tolist() == [seed]
    assert find_cell(tmp_path, path.name.rpartition("-")[2][:16])["seed"] == seed


def put_another_cell(path: Path) -> None:
    path.write_bytes(write_cell(path.parents[3] / "other", rows([7.0]), cell(seed=9)).read_bytes())


def put_a_folder(path: Path) -> None:
    path.unlink()
    (path / "inner").mkdir(parents=True)


def put_a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nothing"))


IN_ITS_PLACE: dict[str, Callable[[Path], object]] = {
    "an empty file": lambda path: path.write_bytes(b""),
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a text": lambda path: path.write_text("hello"),
    "a foreign table": lambda path: pd.DataFrame({"a": [1]}).to_parquet(path),
    "another cell": put_another_cell,
    "a folder": put_a_folder,
    "a link to nothing": put_a_link_to_nothing,
}


@pytest.mark.parametrize("what", IN_ITS_PLACE)
def test_what_lies_in_the_place_of_a_cell_is_named_and_the_cell_is_done_again(tmp_path: Path, what: str) -> None:
    path = write_cell(tmp_path / "results", rows([1.0, 2.0]), cell())
    IN_ITS_PLACE[what](path)
    with pytest.warns(UserWarning, match="counts as not finished") as caught:
        assert finished(tmp_path / "results", cell()) is None
    assert str(path) in str(caught[0].message)
    assert "\n" not in str(caught[0].message)
    write_cell(tmp_path / "results", rows([3.0]), cell())
    assert finished(tmp_path / "results", cell()) == path
    assert load_results(tmp_path / "results")["value"].tolist() == [3.0]


def test_linked_folders_are_read_and_written_through_and_circles_end(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    write_cell(real, rows([1.0]), cell())
    (tmp_path / "results" / "fauna").mkdir(parents=True)
    (tmp_path / "results" / "fauna" / "multi.cat").symlink_to(real / "fauna" / "multi.cat")
    (real / "fauna" / "multi.cat" / "round").symlink_to(tmp_path / "results")
    (tmp_path / "all").symlink_to(tmp_path / "results")
    for folder in (tmp_path / "results", tmp_path / "all"):
        assert finished(folder, cell())
        assert load_results(folder)["value"].tolist() == [1.0]
        assert load_results(folder, aggregates_only=False, datasets=["fauna"])["value"].tolist() == [1.0, 1.0]
        assert find_cell(folder, cell().key)["explainer"] == "srae"
    write_cell(tmp_path / "all", rows([5.0]), cell(), overwrite=True)
    assert load_results(real)["value"].tolist() == [5.0]


def test_a_damaged_cell_named_to_show_ends_in_one_line(tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows([1.0]), cell())
    for bytes_ in (b"", b"PAR1" * 20, path.read_bytes()[:-9]):
        path.write_bytes(bytes_)
        with pytest.raises(InputError, match=r"cannot read '.*'") as caught:
            find_cell(tmp_path, cell().key)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"no file '.*'; name the file of a cell, or its key"):
        find_cell(tmp_path, "nowhere.parquet")
