"""Images are read ahead in threads, in order, and are the same to the bit."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from partbench import Batch, ImageSet, InputError, read_pixels
from partbench.reading import read_batches, reading_threads

CPU = torch.device("cpu")


class Numbered(ImageSet):
    """Image i is filled with i; `readers` are the threads that read, `most` how many images were ahead of the last."""

    def __init__(self, count: int = 100, thread_safe: bool = True) -> None:
        self.labels, self.thread_safe = torch.zeros(count, dtype=torch.long), thread_safe
        self.readers: set[int] = set()
        self.taken, self.most, self.lock = 0, 0, threading.Lock()

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Sequence[int]) -> Batch:
        rows = list(indices)
        with self.lock:
            self.readers.add(threading.get_ident())
            self.most = max(self.most, rows[-1] - self.taken)
        if rows[0] == 64:
            raise InputError("photo 64 is broken")
        values = torch.tensor(rows, dtype=torch.float)
        return Batch(tuple(map(str, rows)), values[:, None, None, None].expand(-1, 3, 2, 2), self.labels[rows])


def chunks(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_pixels_come_in_order_whatever_the_number_of_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_READING_THREADS", str(threads))
    images = Numbered()
    found = list(read_pixels(images, chunks(60, 25), CPU))
    assert [len(one) for one in found] == [25, 25, 10]
    assert torch.equal(torch.cat(found)[:, 0, 0, 0], torch.arange(60.0))
    assert (images.readers == {threading.get_ident()}) == (threads == 1)


@pytest.mark.parametrize("threads", [1, 3])
def test_channels_stay_last_in_memory_for_the_last_bits_of_a_network_depend_on_it(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Photographs(Numbered):
        def batch(self, indices: Sequence[int]) -> Batch:
            batch = super().batch(indices)
            return replace(batch, pixels=batch.pixels.contiguous(memory_format=torch.channels_last))

    monkeypatch.setenv("PARTBENCH_READING_THREADS", str(threads))
    for pixels in read_pixels(Photographs(), chunks(60, 25), CPU):
        assert pixels.is_contiguous(memory_format=torch.channels_last)
        assert not pixels.is_contiguous()


def test_a_split_that_is_not_thread_safe_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_READING_THREADS", "4")
    images = Numbered(thread_safe=False)
    list(read_pixels(images, chunks(60, 25), CPU))
    assert images.readers == {threading.get_ident()}


def test_no_more_is_read_ahead_than_the_threads_and_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_READING_THREADS", "2")
    images = Numbered()
    for batch in read_batches(images, chunks(60, 2), CPU):
        images.taken = int(batch.ids[-1])
    assert 2 <= images.most <= 2 * 4


def test_a_broken_image_is_told_when_it_is_its_turn_and_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_READING_THREADS", "3")
    seen = []
    with pytest.raises(InputError, match="photo 64"):
        seen += [len(one) for one in read_pixels(Numbered(), chunks(100, 32), CPU) if seen.append(1) is None]
    assert len(seen) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reading")]


def test_a_network_on_a_gpu_has_more_readers_than_one_in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTBENCH_READING_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert reading_threads(CPU) == 1
    assert reading_threads(torch.device("cuda")) == 8


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", ""])
def test_a_number_of_threads_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_READING_THREADS", given)
    with pytest.raises(InputError, match="expected a whole number from 1"):
        reading_threads(CPU)
