from __future__ import annotations

import os
from pathlib import Path

from partbench.results.folders import cell_paths, folders_of


def planted(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_cells_and_records_are_found_by_folder(tmp_path: Path) -> None:
    planted(
        tmp_path, "d/t/b.parquet", "d/t/a.parquet", "d/t/a.20260101T000000000000Z.asked", "d/u/c.parquet", "d/x.txt"
    )
    first, second = folders_of(tmp_path)
    assert (first.place, list(first.cells), first.asked) == (
        ("d", "t"), ["a.parquet", "b.parquet"], ("a.20260101T000000000000Z.asked",),
    )  # fmt: skip
    assert first.cells["a.parquet"] == (len("d/t/a.parquet"), os.stat(tmp_path / "d/t/a.parquet").st_mtime_ns)
    assert second.place == ("d", "u")


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    planted(tmp_path, "d/t/a.parquet", ".index/d/t/a.parquet", "d/.old/b.parquet", "d/t/.a.parquet")
    assert cell_paths(tmp_path) == [tmp_path / "d/t/a.parquet"]


def test_linked_files_and_folders_are_found_and_each_folder_once(tmp_path: Path) -> None:
    planted(tmp_path / "far", "t/a.parquet")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "d").symlink_to(tmp_path / "far")
    (tmp_path / "near" / "twice").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "t" / "round").symlink_to(tmp_path / "near")
    (tmp_path / "near" / "b.parquet").symlink_to(tmp_path / "far" / "t" / "a.parquet")
    assert cell_paths(tmp_path / "near") == [tmp_path / "near/b.parquet", tmp_path / "near/d/t/a.parquet"]


def test_a_link_to_nothing_is_a_cell_that_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").symlink_to(tmp_path / "nothing")
    assert folders_of(tmp_path)[0].cells == {"a.parquet": (-1, -1)}


def test_one_place_is_looked_at_if_asked(tmp_path: Path) -> None:
    planted(tmp_path, "d/t/a.parquet", "e/t/b.parquet")
    assert [folder.place for folder in folders_of(tmp_path, ("e",))] == [("e", "t")]
    assert folders_of(tmp_path, ("nothing",)) == []
