"""Activations of a frozen performer on a dataset: computed once, shared by all explainers and tasks, kept on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from partbench.cache import cache_folder
from partbench.performer import Performer
from partbench.plugin import Dataset, ImageSet
from partbench.types import Batch, Split

CHUNK = 64
Progress = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody sees."""


class Activations:
    """Activations of `performer` on both splits of `dataset`, one memory-mapped file per split and layer.

    Layers above the explained map are computed from it, so that images are read and the trunk is run once.
    """

    def __init__(self, dataset: Dataset, performer: Performer, folder: Path | None = None) -> None:
        self.dataset, self.performer = dataset, performer
        key = "|".join([performer.fingerprint, dataset.train.fingerprint, dataset.test.fingerprint, str(dataset.size)])
        name = f"{dataset.name}-{performer.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self.folder = (folder or cache_folder()) / "activations" / name
        self.progress: Progress = silent
        self._layers: dict[tuple[Split, str], Tensor] = {}
        self._rows: dict[Split, dict[str, int]] = {}

    def split(self, name: Split) -> ImageSet:
        """The images of a split."""
        return self.dataset.train if name == "train" else self.dataset.test

    def of_split(self, split: Split, layer: str) -> Tensor:
        """Activations (N, ...) of a whole split on the CPU, memory-mapped: index before computing with them."""
        layer = self.performer.layer(layer)
        if (split, layer) not in self._layers:
            path = self.folder / f"{split}-{layer}.npy"
            if not path.exists():
                self._write(path, split, layer)
            self._layers[split, layer] = torch.from_numpy(np.load(path, mmap_mode="c"))
        return self._layers[split, layer]

    def of_batch(self, batch: Batch, layer: str) -> Tensor:
        """Activations (n, ...) of a batch on the performer's device: looked up by id where the batch is of a split."""
        layer = self.performer.layer(layer)
        for split, rows in self._rows.items():
            if all(i in rows for i in batch.ids):
                index = torch.tensor([rows[i] for i in batch.ids], dtype=torch.long)
                return self.of_split(split, layer)[index].to(self.performer.device)
        return self.performer.activations(batch.pixels, [layer])[layer]

    def remember(self, split: Split, indices: range | list[int], ids: tuple[str, ...]) -> None:
        """Note which rows of a split the images of these ids are, for `of_batch`."""
        self._rows.setdefault(split, {}).update(zip(ids, indices, strict=True))

    def _write(self, path: Path, split: Split, layer: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        try:
            self._fill(Path(temporary), split, layer)
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def _fill(self, path: Path, split: Split, layer: str) -> None:
        total, array, done = len(self.split(split)), None, 0
        for value in self._chunks(split, layer):
            block = value.float().cpu().numpy()
            if array is None:
                array = np.lib.format.open_memmap(path, "w+", np.float32, (total, *block.shape[1:]))
            array[done : done + len(block)] = block
            done += len(block)
            self.progress(f"{layer} of {self.performer.name} on {self.dataset.name} ({split})", done, total)
        assert array is not None, f"{self.dataset.name} has no {split} images"
        array.flush()

    def _chunks(self, split: Split, layer: str) -> Iterator[Tensor]:
        total, stages = len(self.split(split)), list(self.performer.stages)
        base = self.performer.layer("target")
        above = stages.index(layer) > stages.index(base)
        for start in range(0, total, CHUNK):
            rows = range(start, min(start + CHUNK, total))
            if above:
                yield self.performer.forward_from(base, self.of_split(split, base)[rows.start : rows.stop], layer)
            else:
                yield self.performer.activations(self.split(split).batch(rows).pixels, [layer])[layer]
