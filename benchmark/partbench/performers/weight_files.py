"""Weights of networks in files of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from partbench import InputError

WRAPPED = ("state_dict", "model", "state_dict_ema")  # keys under which training scripts store weights
PARALLEL = "module."  # before all names of a network that was trained by nn.DataParallel


def checkpoints() -> Path:
    """The folder in which torch, torchvision and timm keep weights that they have downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def found_file(name: str) -> Path:
    """A file by its path, or by its name in `checkpoints()`. Raises InputError where it is in neither."""
    with suppress(OSError, RuntimeError):  # a name too long for a file; no home folder
        for path in (Path(name).expanduser(), checkpoints() / name):
            if path.is_file():
                return path
    raise InputError(f"there is no file of weights {name}, here or in {checkpoints()}; give the path of one")


def weights_of_file(path: Path) -> dict[str, Tensor]:
    """The weights of a file, by name, on the CPU. Raises InputError for a file that holds none, or code."""
    try:
        found = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except Exception as error:  # of damaged bytes torch raises errors of many kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} cannot be read as weights alone: {reason}; save network.state_dict()") from error
    for key in WRAPPED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"{path} holds a {type(found).__name__}, expected weights by name; save network.state_dict()")
    names = {str(name): value for name, value in found.items()}
    parallel = all(name.startswith(PARALLEL) for name in names)
    return {name.removeprefix(PARALLEL) if parallel else name: value for name, value in names.items()}


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], path: Path, new_head: bool) -> None:
    """Give a network these weights. With `new_head`, those of one layer may be of another number of outputs.

    Raises InputError where a weight is missing, unknown, of another shape, or holds no real, finite numbers.
    """
    own = network.state_dict()
    missing = sorted(own.keys() - weights.keys())
    strange = sorted(weights.keys() - own.keys())
    other = sorted(name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape)
    outputs_alone = all(own[name].shape[1:] == weights[name].shape[1:] for name in other)
    if new_head and outputs_alone and len({name.rpartition(".")[0] for name in other}) == 1:
        weights = {name: own[name] if name in other else value for name, value in weights.items()}
        other = []
    for names, what in ((missing, "lacks"), (strange, "has, unknown to the network,"), (other, "has in another shape")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(f"{path} {what} {names[0]}{more}; expected the weights of {type(network).__name__}")
    for name, value in weights.items():
        if wrong := _fault(value, own[name]):
            raise InputError(f"{path} has {wrong} in {name}, expected real, finite numbers; save the weights again")
    network.load_state_dict(dict(weights))


def _fault(value: Tensor, own: Tensor) -> str:
    """What stands in a file in place of the numbers of a weight; "" for numbers. A constant mask may be infinite."""
    if value.layout != torch.strided or value.is_meta:
        return f"a tensor of {value.layout} on {value.device}"
    if value.is_complex() or value.is_floating_point() != own.is_floating_point():
        return f"values of {value.dtype}"
    return "NaN" if value.is_floating_point() and value.float().isnan().any() else ""


def _unpickled(path: Path) -> object:
    found: object = torch.load(path, map_location="cpu", weights_only=True)
    return found
