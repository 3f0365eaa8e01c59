"""Links in the folder of a dataset: within it they are files like others, out of it they are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench import InputError
from partbench.datasets.links import and_others, check_link, files_in, sizes_in


def test_files_and_links_within_the_folder_are_found_by_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "b.txt")
    (tmp_path / "d.jpg").mkdir()
    assert sorted(entry.name for entry in files_in(tmp_path, tmp_path, (".jpg",))) == ["a.jpg", "c.jpg"]


def test_links_out_of_the_folder_to_nothing_and_to_themselves_are_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (tmp_path / "a.jpg").write_text("a")
    for target in (tmp_path / "a.jpg", base / "nothing.jpg", base / "../a.jpg"):
        link = base / "link.jpg"
        link.symlink_to(target)
        with pytest.raises(InputError, match=rf"link\.jpg is a link to .*, expected a file in {base}; copy the file"):
            list(files_in(base, base, (".jpg",)))
        link.unlink()
    (base / "loop.jpg").symlink_to(base / "loop.jpg")
    with pytest.raises(InputError, match=r"loop\.jpg is a link"):
        check_link(base / "loop.jpg", base)


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
