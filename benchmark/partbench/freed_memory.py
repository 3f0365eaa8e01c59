"""Memory that is free, but that the C library keeps for the process."""

from __future__ import annotations

import contextlib
import ctypes

_LARGE = 1 << 23  # bytes of a batch of images; of smaller ones too little is left to be worth the time


def return_freed_memory() -> None:
    """Give memory that is freed but kept back to the system, wherever it lies. Does nothing without glibc."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: there is no library of the process
        ctypes.CDLL(None).malloc_trim(0)


def return_after(images: int) -> None:
    """Return freed memory after work on a batch of so many bytes of images, if that is many.

    Small tensors lie between those that are freed, and keep the holes from being used again, so that they add up.
    """
    if images > _LARGE:
        return_freed_memory()
