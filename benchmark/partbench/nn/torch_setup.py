"""The device, with a one-line answer where it is not there, and memory that training does not have to wait for."""

from __future__ import annotations

import contextlib
import ctypes
import mmap

import torch
from torch import Tensor

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
    the process, see `return_freed_memory`. Does nothing where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: there is no library of the process
        library = ctypes.CDLL(None)
        for parameter, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 1 << 30), (_M_TOP_PAD, 64 << 20)):
            library.mallopt(parameter, value)


def return_freed_memory() -> None:
    """Give memory that is freed but kept back to the system, wherever it lies. Does nothing without glibc."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


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
