from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from partbench import InputError
from partbench.running.training.space import expect_space, held


def test_too_little_room_is_said_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(0, 0, 20 << 20))
    expect_space(tmp_path / "not" / "there", 2 << 20)
    with pytest.raises(InputError, match=rf"needs 27 MB for checkpoints, 20 MB are free at {tmp_path}; choose"):
        expect_space(tmp_path / "not" / "there", 3 << 20)


def test_a_folder_is_used_by_one_training_at_a_time(tmp_path: Path) -> None:
    again = pytest.raises(InputError, match="another process trains in")
    with held(tmp_path / "a" / "mine.training"), again, held(tmp_path / "a" / "mine.training"):
        pass
    with held(tmp_path / "a" / "mine.training"):
        pass
    assert not list((tmp_path / "a").iterdir())


def test_a_folder_that_cannot_be_made_is_answered_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be made: .*; choose another --out"), held(tmp_path / "file" / "mine"):
        pass
