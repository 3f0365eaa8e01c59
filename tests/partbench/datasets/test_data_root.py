from __future__ import annotations

from pathlib import Path

import pytest

from partbench import InputError
from partbench.datasets.data_root import given_root


def test_a_folder_that_is_there_is_returned(tmp_path: Path) -> None:
    assert given_root("birds", tmp_path, "the folder that holds images/") == tmp_path


def test_no_folder_and_one_that_is_absent_are_told_with_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^birds needs --data-root DIR or `bench data add birds DIR`, the folder"):
        given_root("birds", None, "the folder that holds images/")
    with pytest.raises(InputError, match=r"no folder .*/nowhere; name the folder that holds images/"):
        given_root("birds", tmp_path / "nowhere", "the folder that holds images/")
