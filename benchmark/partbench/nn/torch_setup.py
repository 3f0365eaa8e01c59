"""The device, with a one-line answer where it is not there, and memory that training does not have to wait for."""

from __future__ import annotations

import contextlib
import ctypes

import torch

from partbench.errors import InputError

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h of glibc


def choose_device(name: str) -> torch.device:
    """The device for "auto" (CUDA where there is one), "cpu" or "cuda". Raises InputError if there is no CUDA."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; use --device cpu")
    return torch.device(name)


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next step; else the system maps and clears each tensor anew.

    Half of the time of a network on photographs goes there, and a tenth of training small ones. Up to 1 GB stays with
    the process, see `freed_memory`. Does nothing where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: there is no library of the process
        library = ctypes.CDLL(None)
        for parameter, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 1 << 30), (_M_TOP_PAD, 64 << 20)):
            library.mallopt(parameter, value)
