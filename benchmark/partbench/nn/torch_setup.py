"""The device, with a one-line answer where it is not there; memory and a compiler that training need not wait for."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from partbench.errors import InputError

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h of glibc


def choose_device(name: str) -> torch.device:
    """The device for "auto" (CUDA where there is one), "cpu" or "cuda". Raises InputError if there is no CUDA."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; use --device cpu")
    return torch.device(name)


def set_up_training() -> None:
    """What a process does once, before anything is trained in it: see `keep_freed_memory` and `spare_compiler`."""
    keep_freed_memory()
    spare_compiler()


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next step; else the system maps and clears each tensor anew.

    Half of the time of a network on photographs goes there, and a tenth of training small ones. Up to 1 GB stays with
    the process, see `freed_memory`. Does nothing where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: there is no library of the process
        library = ctypes.CDLL(None)
        for parameter, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 1 << 30), (_M_TOP_PAD, 64 << 20)):
            library.mallopt(parameter, value)


def return_mapped_memory(mapped: Tensor) -> None:
    """Give the pages of a tensor that is a mapping of a file back to the system; they are read again when asked for.

    Pages that were read stay with the process otherwise, and count as its memory. What was written into a private
    mapping is lost. Does nothing where the system has no such call.
    """
    start = -(-mapped.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (mapped.data_ptr() + mapped.nbytes - start) // mmap.PAGESIZE * mmap.PAGESIZE
    with contextlib.suppress(OSError, AttributeError, TypeError):
        if length > 0:
            ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), mmap.MADV_DONTNEED)


def spare_compiler() -> None:
    """Keep optimisers from importing torch's compiler, which takes more than a second and 70 MB of each process.

    They import it in order to be left out where a training step is compiled. As nothing is compiled before somebody
    imports it, they need not; from then on they are torch's own again. Does nothing to the steps of a class of which
    there has been an optimiser: hooks of its steps are in place.
    """
    for owner, name in ((Optimizer, "add_param_group"), (Optimizer, "zero_grad"), (SGD, "step"), (Adam, "step")):
        setattr(owner, name, _without_compiler(getattr(owner, name), sets_gradients=name == "step"))


def _without_compiler(method: Any, sets_gradients: bool) -> Any:
    """The method that torch wrapped; where torch's wrapper sets the grad mode, so does this one."""
    plain = getattr(method, "__wrapped__", None)
    if plain is None or getattr(method, "hooked", False):  # None: in another version of torch, or spared before
        return method

    @wraps(method)
    def called(self: Optimizer, *args: Any, **more: Any) -> Any:
        if "torch._dynamo" in sys.modules:
            return method(self, *args, **more)
        if not sets_gradients:
            return plain(self, *args, **more)
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return plain(self, *args, **more)

    del called.__wrapped__
    return called
