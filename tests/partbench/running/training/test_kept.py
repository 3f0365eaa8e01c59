from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch

from partbench import InputError
from partbench.running.training.kept import keep, toml

DESCRIPTION = {
    "name": "mine", "network": "tiny", "task": "d/multi", "outputs": ["a", 'b"\\'], "own_roles": False,
    "training": {"lr": 1e-4, "frozen": [], "epochs": 3, "nothing": None},
}  # fmt: skip


def test_a_description_is_read_back_as_it_was() -> None:
    expected = {**DESCRIPTION, "training": {"lr": 1e-4, "frozen": [], "epochs": 3}}
    assert tomllib.loads(toml(DESCRIPTION)) == expected


def test_a_performer_is_there_whole_and_a_name_taken_meanwhile_keeps_its_folder(tmp_path: Path) -> None:
    unfinished, folder = tmp_path / "mine.training", tmp_path / "mine"
    for attempt in range(2):
        unfinished.mkdir(exist_ok=True)
        if attempt:
            with pytest.raises(InputError, match="cannot be renamed"):
                keep(folder, unfinished, DESCRIPTION, {"w": torch.ones(1)}, "other")
        else:
            keep(folder, unfinished, DESCRIPTION, {"w": torch.ones(1)}, "card")
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md", "performer.py", "performer.toml", "weights.safetensors",
    ]  # fmt: skip
    assert (folder / "card.md").read_text() == "card"
