"""Links in the folder of a dataset: out of it they are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench import InputError
from partbench.datasets.links import check_link


def test_links_out_of_the_folder_to_nothing_and_to_themselves_are_refused(tmp_path: Path) -> None:
    base, link = tmp_path / "base", tmp_path / "base" / "link.jpg"
    base.mkdir()
    (tmp_path / "a.jpg").write_text("a")
    for target in (tmp_path / "a.jpg", base / "nothing.jpg", base / "../a.jpg", link):
        link.symlink_to(target)
        with pytest.raises(InputError, match=rf"link\.jpg is a link to .*, expected a file in {base}; copy the file"):
            check_link(link, base)
        link.unlink()


def test_a_link_within_the_folder_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("a")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    check_link(tmp_path / "b.jpg", tmp_path)
