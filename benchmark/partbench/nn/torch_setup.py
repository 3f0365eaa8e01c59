"""The device, with a one-line answer where it is not there, and memory that training does not have to wait for."""

from __future__ import annotations

import contextlib
import ctypes

import torch

from partbench.errors import InputError

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc


def choose_device(name: str) -> torch.device:
    """The device for "auto" (CUDA where there is one), "cpu" or "cuda". Raises InputError if there is no CUDA."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; use --device cpu")
    return torch.device(name)


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next step of training; else the system maps and clears it anew.

    A tenth of the time of training small networks goes there. Up to 256 MB stay with the process; tensors above 32 MB
    are given back at once. Does nothing where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: there is no library of the process
        library = ctypes.CDLL(None)
        for parameter, size in ((_M_MMAP_THRESHOLD, 32 << 20), (_M_TRIM_THRESHOLD, 256 << 20), (_M_TOP_PAD, 64 << 20)):
            library.mallopt(parameter, size)


def return_freed_memory() -> None:
    """Give memory that is freed but kept back to the system, wherever it lies. Does nothing without glibc."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
