"""Files of a folder, and links that leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench import InputError
from partbench.datasets.image_files import sizes_in


def test_files_of_a_suffix_are_found_with_their_sizes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name, size in {"1.jpg": 3, "2.jpg": 0, "1.png": 9}.items():
        (tmp_path / "a" / name).write_bytes(b"x" * size)
    (tmp_path / "a" / "folder.jpg").mkdir()
    (tmp_path / "a" / "3.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    assert sizes_in(tmp_path / "a", tmp_path, ".jpg") == {"1.jpg": 3, "2.jpg": 0, "3.jpg": 3}
    assert len(sizes_in(tmp_path / "a", tmp_path, "")) == 4


@pytest.mark.parametrize("target", ["/etc/hostname", "gone.jpg"])
def test_a_link_out_of_the_dataset_or_to_nothing_is_refused(target: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").symlink_to(target)
    with pytest.raises(InputError, match=r"1.jpg is a link to .*, expected an image in .*; copy the image itself"):
        sizes_in(tmp_path / "a", tmp_path, ".jpg")
    with pytest.raises(InputError, match="is a link to"):
        sizes_in(tmp_path / "b", tmp_path / "a", ".jpg")
