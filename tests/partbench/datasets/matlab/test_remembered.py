"""Numbers of a .mat file are read once, and again when the file or the question changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench.datasets.matlab.remembered import remembered


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    return tmp_path


def test_the_same_question_of_the_same_bytes_is_answered_once() -> None:
    asked = []

    def read() -> bytes:
        asked.append(1)
        return bytes([len(asked)])

    assert [remembered(b"file", ["values", "a"], read) for _ in range(2)] == [b"\1", b"\1"]
    assert remembered(b"file", ["values", "b"], read) == b"\2"
    assert remembered(b"another file", ["values", "a"], read) == b"\3"


def test_what_cannot_be_read_is_asked_again(folder: Path) -> None:
    def broken() -> bytes:
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            remembered(b"file", ["values"], broken)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_damaged_answer_is_read_again(folder: Path) -> None:
    remembered(b"file", ["values"], lambda: b"good")
    next(folder.rglob("*.npz")).write_bytes(b"evil")
    with pytest.warns(UserWarning, match="is damaged"):
        assert remembered(b"file", ["values"], lambda: b"good") == b"good"
