"""Files in the folder of a dataset; links within it are files like others."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench import InputError
from partbench.datasets.folder_files import and_others, files_in, sizes_in


def test_files_and_links_within_the_folder_are_found_by_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "b.txt")
    (tmp_path / "d.jpg").mkdir()
    assert sorted(entry.name for entry in files_in(tmp_path, tmp_path, (".jpg",))) == ["a.jpg", "c.jpg"]


def test_a_link_out_of_the_folder_is_refused_wherever_files_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "a.jpg").write_text("a")
    (tmp_path / "base" / "link.jpg").symlink_to(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"link\.jpg is a link to"):
        list(files_in(tmp_path / "base", tmp_path / "base", (".jpg",)))


def test_sizes_are_found_by_name_and_a_folder_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name, size in {"1.jpg": 3, "2.jpg": 0, "1.png": 9}.items():
        (tmp_path / "a" / name).write_bytes(b"x" * size)
    assert sizes_in(tmp_path / "a", tmp_path, ".jpg") == {"1.jpg": 3, "2.jpg": 0}
    assert len(sizes_in(tmp_path / "a", tmp_path, "")) == 3
    with pytest.raises(InputError, match="is a link to"):
        sizes_in(tmp_path / "b", tmp_path / "a", ".jpg")


def test_missing_files_beside_the_first_are_counted() -> None:
    assert [and_others(["a.jpg", "b.jpg", "c.jpg"][:n]) for n in (1, 2, 3)] == ["", " and 1 other", " and 2 others"]
