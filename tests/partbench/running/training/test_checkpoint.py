from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from partbench import InputError
from partbench.running.training.checkpoint import Checkpoint, optimiser_state, restore_optimiser


def test_an_unfinished_training_with_other_arguments_is_named_with_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "mine.training" / "checkpoint.safetensors"
    path.parent.mkdir()
    assert Checkpoint.read(path, {}) is None
    Checkpoint({"w": torch.ones(2)}, {}, {}, [{"epoch": 1}]).write(path, {"name": "mine", "training": {"lr": 0.1}})
    found = Checkpoint.read(path, {"name": "mine", "training": {"lr": 0.1}})
    assert found is not None
    assert (found.weights["w"].tolist(), found.curve) == ([1, 1], [{"epoch": 1}])
    with pytest.raises(
        InputError, match=r"mine.training holds .* other arguments: lr was 0.1, is now 0.2; give the same"
    ):
        Checkpoint.read(path, {"name": "mine", "training": {"lr": 0.2}})


def test_a_damaged_checkpoint_is_answered_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    states = {"w": torch.ones(200), "n": torch.tensor(3), "h": torch.ones(2, dtype=torch.bfloat16)}
    Checkpoint(states, {}, {}, [{"epoch": 1}]).write(path, {})
    assert Checkpoint.read(path, {}) is not None
    whole = path.read_bytes()
    flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]  # another weight
    other_curve = whole.replace(b"epoch", b"epocs")
    for damaged in (b"", whole[:100], whole[:-9], b"\x80\x04pickle" * 9, flipped, other_curve):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"cannot be read \(.*\); remove .* to begin again"):
            Checkpoint.read(path, {})


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_an_optimiser_remembers_what_it_remembered(kind: type[torch.optim.Optimizer]) -> None:
    def begun() -> tuple[nn.Linear, torch.optim.Optimizer]:
        torch.manual_seed(0)
        layer = nn.Linear(3, 2)
        return layer, kind(layer.parameters(), lr=0.1, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))

    def step(layer: nn.Linear, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad()
        layer(torch.ones(1, 3)).square().sum().backward()
        optimiser.step()

    with torch.random.fork_rng():
        (first, optimiser), (second, other) = begun(), begun()
    step(first, optimiser)
    second.load_state_dict(first.state_dict())
    restore_optimiser(other, optimiser_state(optimiser))
    step(first, optimiser)
    step(second, other)
    assert torch.equal(first.weight, second.weight)
