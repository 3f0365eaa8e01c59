"""Memory that is free, but that the C library keeps for the process."""

from __future__ import annotations

import contextlib
import ctypes

LARGE = 1 << 23  # bytes of images from which on it is worth while to return what was freed after each batch


def return_freed_memory() -> None:
    """Give memory that is freed but kept back to the system, wherever it lies. Does nothing without glibc."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: there is no library of the process
        ctypes.CDLL(None).malloc_trim(0)
