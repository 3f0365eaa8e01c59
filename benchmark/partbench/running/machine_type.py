"""What the bits of a cell depend on beside its key: the type of processor, and the weights of the performer."""

from __future__ import annotations

from functools import cache
from weakref import WeakKeyDictionary

import torch

from partbench.activations import Activations
from partbench.performer import Performer
from partbench.performers.weight_digest import weight_digest
from partbench.results.environment import processor

_DIGITS = 16
_FOUND: WeakKeyDictionary[Activations, str] = WeakKeyDictionary()  # digests of performers, by their activations


@cache
def processor_type(device: torch.device) -> str:
    """The processor of this machine, the vector instructions that torch uses of it, and the GPU that computes, if any.

    As in `GenuineIntel family 6 model 143, AVX512`. Machines for which it is equal are of one type.
    """
    found = [processor(), torch.backends.cpu.get_cpu_capability()]
    if device.type == "cuda":
        found.append(torch.cuda.get_device_name(device))
    return ", ".join(found)


def weights_of(activations: Activations) -> str:
    """The digest of the performer behind activations, which is found once in a process."""
    if activations not in _FOUND:
        _FOUND[activations] = performer_digest(activations.performer)
    return _FOUND[activations]


def performer_digest(performer: Performer) -> str:
    """16 hex digits of the weights of a performer: equal in all processes and on all machines for equal weights.

    A network that is trained on first use has the same fingerprint everywhere, but other weights on another type of
    processor.
    """
    return weight_digest(performer.weights())[:_DIGITS]
