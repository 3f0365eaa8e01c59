"""Checkpoints of a training: written whole after every epoch, as safetensors, which hold no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from partbench.errors import InputError
from partbench.performers.weight_digest import weight_digest
from partbench.whole_files import write_whole

FILE, DIGEST = "checkpoint.safetensors", "sha256"
State = dict[str, Tensor]


@dataclass
class Checkpoint:
    """How far a training is: weights now, the best ones so far, the optimiser's state, and a row of each epoch."""

    weights: State
    best: State
    optimiser: State
    curve: list[dict[str, Any]] = field(default_factory=list)

    def write(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Write it, all at once or not at all. Raises OSError."""
        parts = {"weights": self.weights, "best": self.best, "optimiser": self.optimiser}
        tensors = {f"{part}/{name}": value for part, state in parts.items() for name, value in state.items()}
        metadata = {"identity": json.dumps(identity), "curve": json.dumps(self.curve)}
        write_whole(path, save(tensors, {**metadata, DIGEST: _digest(tensors, metadata)}))

    @staticmethod
    def read(path: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
        """The checkpoint of a training; None where there is none.

        Raises InputError where it is of other arguments or data, which it names, and where it cannot be read.
        """
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                metadata = dict(file.metadata())
            tensors, written = load_file(path), metadata.pop(DIGEST)
            if written != _digest(tensors, metadata):
                raise ValueError("its bytes are not those that were written")
            found, curve = json.loads(metadata["identity"]), json.loads(metadata["curve"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"{path} cannot be read ({error}); remove {path.parent} to begin again") from error
        _expect_same(path.parent, found, json.loads(json.dumps(identity)))
        parts: dict[str, State] = {"weights": {}, "best": {}, "optimiser": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        return Checkpoint(**parts, curve=curve)


def _digest(tensors: State, metadata: Mapping[str, str]) -> str:
    """The SHA-256 of tensors and texts: safetensors would take a flipped bit for another weight."""
    return weight_digest(dict(sorted(tensors.items())), json.dumps(metadata, sort_keys=True))


def _expect_same(folder: Path, found: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    before, now = _flat(found), _flat(asked)
    for key in {**before, **now}:
        if before.get(key) != now.get(key):
            change = f"{key} was {before.get(key)!r:.60}, is now {now.get(key)!r:.60}"
            ways = "give the same ones to go on, another --name, or remove that folder"
            raise InputError(f"{folder} holds an unfinished training with other arguments: {change}; {ways}")


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table with the entries of its tables as its own."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= value if isinstance(value, Mapping) else {key: value}
    return found


def copied(state: Mapping[str, Tensor]) -> State:
    """A state on the CPU, in memory of its own."""
    return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}


def optimiser_state(optimiser: torch.optim.Optimizer) -> State:
    """What an optimiser remembers of each parameter, by their places."""
    state = optimiser.state_dict()["state"]
    return copied({f"{place}/{name}": value for place, held in state.items() for name, value in held.items()})


def restore_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Give an optimiser what it remembered."""
    held: dict[int, dict[str, Tensor]] = {}
    for key, value in state.items():
        place, _, name = key.partition("/")
        held.setdefault(int(place), {})[name] = value
    optimiser.load_state_dict({"state": held, "param_groups": optimiser.state_dict()["param_groups"]})
