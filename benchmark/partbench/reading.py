"""Reading images ahead of the network that needs them, in threads: decoding releases Python's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from partbench.errors import InputError
from partbench.plugin.dataset import ImageSet
from partbench.types import Batch

VARIABLE = "PARTBENCH_READING_THREADS"
MOST = 16  # threads on a machine with a GPU
PIECE = 16  # images that a thread reads at once

Rows = Sequence[int]
T = TypeVar("T")


def reading_threads(device: torch.device) -> int:
    """In how many threads images are read for a network on a device; with 1, when they are needed and not ahead.

    As many as torch uses, which is 1 in the workers of a run; with a GPU all cores, at most 16. The environment
    variable PARTBENCH_READING_THREADS takes precedence. Raises InputError if it is no whole number from 1.
    """
    given = os.environ.get(VARIABLE)
    if given is None:
        return torch.get_num_threads() if device.type == "cpu" else min(MOST, os.cpu_count() or 1)
    if not (given.isascii() and given.isdecimal() and int(given) > 0):
        raise InputError(f"{VARIABLE} is '{given}', expected a whole number from 1; set it, or unset it")
    return int(given)


def read_batches(images: ImageSet, chunks: Sequence[Rows], device: torch.device) -> Iterator[Batch]:
    """The batches of a split at each of `chunks`, in order; some are read ahead while the device computes.

    See `reading_threads`; a split that is not `thread_safe` is read by one. Raises what `images.batch` raises, when it
    is the turn of that batch.
    """
    yield from _ahead(images.batch, chunks, _threads(images, device))


def read_pixels(images: ImageSet, chunks: Sequence[Rows], device: torch.device) -> Iterator[Tensor]:
    """The pixels (n 3 H W) of the batches of `read_batches`; several threads share the images of one."""
    if _threads(images, device) == 1:
        for rows in chunks:
            yield images.batch(rows).pixels
        return
    pieces = [[rows[start : start + PIECE] for start in range(0, len(rows), PIECE)] for rows in chunks]
    read = read_batches(images, [piece for some in pieces for piece in some], device)
    for some in pieces:
        yield torch.cat([next(read).pixels for _ in some])


def _threads(images: ImageSet, device: torch.device) -> int:
    return reading_threads(device) if images.thread_safe else 1


def _ahead(read: Callable[[Rows], T], chunks: Sequence[Rows], threads: int) -> Iterator[T]:
    """What `read` makes of each chunk, in order, with one more of them in work or done than there are threads."""
    if threads == 1:
        yield from map(read, chunks)
        return
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="reading")
    try:
        for rows in chunks:
            waiting.append(pool.submit(read, rows))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
