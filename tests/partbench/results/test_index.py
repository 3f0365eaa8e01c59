from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from planted_cells import as_version_2, cell, rows

from partbench.errors import InputError
from partbench.results import cell_file, index
from partbench.results.index import AGGREGATES, EVIDENCE, NAME, indexed, parts_beside, rebuild
from partbench.results.store import load_evidence, load_results, write_cell


def of_images(values: list[float]) -> list[dict[str, object]]:
    return [row | {"unit_kind": "all" if row["unit"] == "all" else "image"} for row in rows(values)]


def two_tasks(folder: Path, settled: bool = True) -> list[Path]:
    """Cells on two tasks, three seeds each; files last changed an hour ago unless not `settled`."""
    paths = []
    for task in ("cat", "dog"):
        for seed in range(3):
            made = cell(task=f"fauna/multi:{task}", category=task, seed=seed)
            paths.append(write_cell(folder, of_images([float(seed), 1 / 3]), made))
    for path in paths if settled else []:
        os.utime(path, ns=(time.time_ns() - 3600 * 10**9,) * 2)
    return paths


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files of cells that are read."""
    found: list[Path] = []

    def read(path: Path, aggregates_only: bool) -> object:
        found.append(path)
        return cell_file.read_table(path, aggregates_only)

    monkeypatch.setattr(index, "read_table", read)
    return found


def files_of(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.rglob("*.parquet"))}


def test_the_index_holds_aggregates_and_evidence_of_every_cell(tmp_path: Path) -> None:
    paths = two_tasks(tmp_path)
    aggregates, evidence = indexed(tmp_path, AGGREGATES), indexed(tmp_path, EVIDENCE)
    assert aggregates["file"].to_pylist() == [str(path.relative_to(tmp_path)) for path in sorted(paths)]
    assert sorted(aggregates["value"].to_pylist()) == sorted([(seed + 1 / 3) / 2 for seed in range(3)] * 2)
    assert evidence["unit"].to_pylist() == ["image-0", "image-1"] * 6
    assert evidence["value"].to_pylist()[1::2] == [float(np.float32(1 / 3))] * 6
    assert evidence["value"].to_pylist()[::2] == evidence["seed"].to_pylist()[::2]
    assert str(evidence.schema.field("value").type) == "float"
    assert list(files_of(tmp_path / NAME)) == [
        f"{kind}/fauna/multi.{task}.parquet" for kind in ("aggregates", "evidence") for task in ("cat", "dog")
    ]


def test_a_fresh_index_is_read_without_the_cells_and_not_written(tmp_path: Path, reads: list[Path]) -> None:
    paths = two_tasks(tmp_path)
    first = load_results(tmp_path)
    before = files_of(tmp_path / NAME)
    assert sorted(reads) == sorted(paths)
    pd.testing.assert_frame_equal(load_results(tmp_path), first)
    assert len(reads) == len(paths)
    assert files_of(tmp_path / NAME) == before


def test_only_cells_that_changed_are_read_again(tmp_path: Path, reads: list[Path]) -> None:
    paths = two_tasks(tmp_path)
    indexed(tmp_path, AGGREGATES)
    before = files_of(tmp_path / NAME)
    reads.clear()
    write_cell(tmp_path, of_images([9.0]), cell(seed=1), overwrite=True)
    added = write_cell(tmp_path, of_images([8.0]), cell(seed=7))
    paths[0].unlink()
    updated = indexed(tmp_path, AGGREGATES)
    found = dict(zip(updated["file"].to_pylist(), updated["value"].to_pylist(), strict=True))
    assert [found.get(str(path.relative_to(tmp_path))) for path in (paths[0], paths[1], added)] == [None, 9.0, 8.0]
    assert sorted(reads) == sorted([paths[1], added])
    assert str(paths[0].relative_to(tmp_path)) not in load_results(tmp_path)["file"].cat.categories
    after = files_of(tmp_path / NAME)
    changed = [name for name in before if before[name] != after[name]]
    assert changed == ["aggregates/fauna/multi.cat.parquet"]


def test_a_cell_that_may_change_within_a_tick_of_the_clock_is_read_again(tmp_path: Path, reads: list[Path]) -> None:
    paths = two_tasks(tmp_path)
    os.utime(paths[0], ns=(time.time_ns() + 10**9,) * 2)
    for _ in range(2):
        indexed(tmp_path, AGGREGATES)
    assert reads.count(paths[0]) == 2
    assert reads.count(paths[1]) == 1


def test_the_index_of_folders_that_are_gone_is_removed(tmp_path: Path) -> None:
    paths = two_tasks(tmp_path)
    indexed(tmp_path, AGGREGATES)
    for path in paths[:3]:
        path.unlink()
    paths[0].parent.rmdir()
    assert len(indexed(tmp_path, AGGREGATES)) == 3
    assert list(files_of(tmp_path / NAME)) == ["aggregates/fauna/multi.dog.parquet"]


def without_footer(whole: bytes) -> bytes:
    """A Parquet file whose footer says nothing: pyarrow answers it with an OSError."""
    length = int.from_bytes(whole[-8:-4], "little")
    return whole[: -8 - length] + b"\xff" * length + whole[-8:]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"half", b"flip", b"foot"])
def test_a_damaged_file_of_the_index_is_made_again(tmp_path: Path, content: bytes) -> None:
    two_tasks(tmp_path)
    expected = load_results(tmp_path)
    path = tmp_path / NAME / "aggregates" / "fauna" / "multi.cat.parquet"
    whole = path.read_bytes()
    flipped = whole[:200] + bytes([whole[200] ^ 4]) + whole[201:]
    footless = without_footer(whole)
    path.write_bytes({b"half": whole[: len(whole) // 2], b"flip": flipped, b"foot": footless}.get(content, content))
    pd.testing.assert_frame_equal(load_results(tmp_path), expected)
    assert path.read_bytes() == whole


def test_an_index_of_another_recipe_is_made_again(
    tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = two_tasks(tmp_path)
    indexed(tmp_path, AGGREGATES)
    monkeypatch.setattr(index, "RECIPE", index.RECIPE + 1)
    indexed(tmp_path, AGGREGATES)
    assert len(reads) == 2 * len(paths)


def test_an_index_that_cannot_be_written_is_kept_in_memory(tmp_path: Path) -> None:
    two_tasks(tmp_path)
    (tmp_path / NAME).write_text("a file where the folder should be")
    assert len(load_results(tmp_path)) == 6
    assert len(load_evidence(tmp_path)) == 12
    assert (tmp_path / NAME).read_text() == "a file where the folder should be"


def test_an_index_that_cannot_be_made_anew_is_the_users_mistake(tmp_path: Path) -> None:
    two_tasks(tmp_path)
    (tmp_path / NAME).write_text("a file where the folder should be")
    with pytest.raises(InputError, match=f"cannot write to '{tmp_path / NAME}'"):
        rebuild(tmp_path)


def test_a_damaged_cell_is_named_each_time_and_read_once(tmp_path: Path, reads: list[Path]) -> None:
    paths = two_tasks(tmp_path)
    paths[0].write_bytes(b"PAR1")
    os.utime(paths[0], ns=(time.time_ns() - 3600 * 10**9,) * 2)
    for _ in range(2):
        with pytest.warns(UserWarning, match=f"ignored '{paths[0]}'"):
            assert len(load_results(tmp_path)) == 5
    assert reads.count(paths[0]) == 1


def test_only_the_datasets_asked_for_are_indexed(tmp_path: Path) -> None:
    two_tasks(tmp_path)
    write_cell(tmp_path, of_images([2.0]), cell(task="animal part/multi:cat", dataset="animal part"))
    assert len(indexed(tmp_path, AGGREGATES, ["animal part"])) == 1
    assert len(files_of(tmp_path / NAME)) == 1
    assert len(indexed(tmp_path, AGGREGATES)) == 7
    assert len(indexed(tmp_path, AGGREGATES, ["nothing"])) == 0
    assert len(files_of(tmp_path / NAME)) == 3


def test_the_rows_beside_some_files_are_those_of_their_folders_and_no_other_is_read(
    tmp_path: Path, reads: list[Path]
) -> None:
    *_, dog = sorted(two_tasks(tmp_path))
    [found] = parts_beside(tmp_path, AGGREGATES, [str(dog.relative_to(tmp_path))] * 2)
    assert [tmp_path / file for file in found["file"].to_pylist()] == reads == sorted(dog.parent.iterdir())
    assert list(parts_beside(tmp_path, EVIDENCE, ["no/folder/cell.parquet"], ["unit"])) == []


def test_cells_of_earlier_versions_are_in_the_columns_of_the_present_one(tmp_path: Path) -> None:
    paths = two_tasks(tmp_path)
    as_version_2(paths[0])
    found = indexed(tmp_path, AGGREGATES)
    assert sorted(found["schema_version"].to_pylist()) == [2, 5, 5, 5, 5, 5]
    assert len(indexed(tmp_path, EVIDENCE)) == 12


def test_a_rebuilt_index_has_all_rows(tmp_path: Path) -> None:
    two_tasks(tmp_path)
    assert rebuild(tmp_path) == {"aggregates": 6, "evidence": 12}
    assert rebuild(tmp_path) == {"aggregates": 6, "evidence": 12}


def test_the_index_is_read_as_it_is_by_pandas_polars_and_duckdb(tmp_path: Path) -> None:
    polars, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
    as_version_2(two_tasks(tmp_path)[0])
    write_cell(tmp_path, of_images([1.0]), cell(seed=2**64 - 1))
    rebuild(tmp_path)
    for kind, n in (("aggregates", 7), ("evidence", 13)):
        folder = tmp_path / NAME / kind
        assert len(pd.read_parquet(folder)) == n
        assert polars.scan_parquet(folder / "**" / "*.parquet").select(polars.len()).collect().item() == n
        read = f"read_parquet('{folder}/**/*.parquet')"
        assert duckdb.sql(f"select count(*), max(seed) from {read}").fetchall() == [(n, 2**64 - 1)]


def test_readers_of_the_folder_of_results_do_not_see_the_index(tmp_path: Path) -> None:
    two_tasks(tmp_path)
    rebuild(tmp_path)
    assert len(pd.read_parquet(tmp_path)) == 18
    assert len(load_results(tmp_path, aggregates_only=False)) == 18


WRITES = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from planted_cells import cell, rows
from partbench.results.store import load_results, write_cell
folder, first = Path(sys.argv[2]), int(sys.argv[3])
for seed in range(first, first + 15):
    write_cell(folder, rows([float(seed)]), cell(seed=seed))
    found = load_results(folder)
    assert set(range(first, seed + 1)) <= set(found["seed"]), sorted(found["seed"])
    assert (found["value"] == found["seed"].astype(float)).all()
"""


def test_two_processes_that_write_and_read_at_once_see_every_cell(tmp_path: Path) -> None:
    words = [sys.executable, "-c", WRITES, str(Path(__file__).parent), str(tmp_path)]
    processes = [subprocess.Popen([*words, str(first)]) for first in (0, 100)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    expected = sorted([*range(15), *range(100, 115)])
    assert sorted(load_results(tmp_path)["seed"]) == expected
    stored = pq.read_table(tmp_path / NAME / "aggregates" / "fauna" / "multi.cat.parquet")
    assert sorted(stored["seed"].to_pylist()) == expected


def test_some_columns_of_the_index_are_those_of_the_whole_before_and_after_a_cell_changed(tmp_path: Path) -> None:
    paths = two_tasks(tmp_path)
    columns = ["unit", "cell", "value"]
    for _ in range(2):
        assert indexed(tmp_path, EVIDENCE, columns=columns).equals(indexed(tmp_path, EVIDENCE).select(columns))
        paths[0].unlink(missing_ok=True)
    assert len(load_evidence(tmp_path, columns=columns)) == 10  # of five cells, two images each
    assert list(load_evidence(tmp_path, ["none"], columns)) == columns
