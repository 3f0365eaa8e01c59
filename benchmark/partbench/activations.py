"""Activations of a frozen performer on a dataset: computed once, cached on disk, shared by explainers and tasks."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np
import torch
from torch import Tensor

from partbench.cache.folder import cache_folder
from partbench.cache.item import CacheItem
from partbench.performer import Performer
from partbench.plugin import Dataset, ImageSet, Progress, silent
from partbench.types import Batch, Images, Split, opaque_id

CHUNK = 64
LONGEST = 200  # characters of the name of a folder


# Open activations by token. The objects that explainers get hold the token, not the activations, so that no chain of
# attributes leads from them to the dataset.
_OPEN: dict[str, Activations] = {}


class Activations:
    """Activations of `performer` on both splits of `dataset`, one memory-mapped file per split and layer.

    Layers above `target` are computed from the cached target maps, so that each image is read and run through the
    lower layers once. A process tests the checksum of a file before it maps it for the first time. Nothing is cached
    of a performer that is not as it was when it was opened.
    """

    def __init__(self, dataset: Dataset, performer: Performer, folder: Path | None = None) -> None:
        self.dataset, self.performer = dataset, performer
        key = "|".join([performer.fingerprint, dataset.train.fingerprint, dataset.test.fingerprint, str(dataset.size)])
        name = f"{dataset.name}-{performer.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self.root, self.name = folder or cache_folder(), _as_folder(name)
        self.progress: Progress = silent
        self.token = uuid.uuid4().hex
        self._untouched = performer.state_checksum()
        self._layers: dict[tuple[Split, str], Tensor] = {}
        self._known: dict[str, KnownImages] = {}
        _OPEN[self.token] = self

    def split(self, name: Split) -> ImageSet:
        """The images of a split."""
        return self.dataset.train if name == "train" else self.dataset.test

    def of_split(self, split: Split, layer: str) -> Tensor:
        """Activations (N, ...) of a whole split on the CPU, memory-mapped: index before computing with them."""
        layer = self.performer.layer(layer)
        if (split, layer) not in self._layers:
            self._layers[split, layer] = self.mapped(split, layer)
        return self._layers[split, layer]

    def mapped(self, split: Split, layer: str) -> Tensor:
        """As `of_split`, in a private copy-on-write mapping: writing into it changes nothing else."""
        layer = self.performer.layer(layer)
        item = self.item(split, layer)
        return item.once(_mapped, lambda: item.write(lambda file: self._fill(file, split, layer)), self.progress)

    def item(self, split: Split, layer: str) -> CacheItem:
        """Where the activations of a split are cached."""
        return CacheItem("activations", f"{self.name}/{split}-{quote(layer, safe='')}", ".npy", self.root)

    def release(self) -> None:
        """Give back the memory of the layers that are mapped; they are mapped again when asked for."""
        self._layers.clear()

    def batch(self, split: Split, indices: Sequence[int]) -> Batch:
        """Images of a split with their annotations, on the performer's device; their activations can be looked up."""
        batch = self.split(split).batch(indices)
        for row, image_id, pixels in zip(indices, batch.ids, batch.pixels, strict=True):
            self._known[opaque_id(image_id)] = KnownImages(split, row, checksum(pixels))
        return self.adopt(batch)

    def adopt(self, batch: Batch) -> Batch:
        """The batch on the performer's device, with this performer as the source of its activations."""
        return replace(batch, source=ActivationHandle(self.token)).to(self.performer.device)

    def known(self, images: Images) -> list[KnownImages] | None:
        """The split of these images and their indices in it; None unless all are unchanged images of one split."""
        found = [self._known.get(image_id) for image_id in images.ids]
        places = [place for place in found if place is not None]
        if len(places) < len(found) or len({place.split for place in places}) != 1:
            return None
        pairs = zip(places, images.pixels, strict=True)
        return places if all(place.checksum == checksum(pixels) for place, pixels in pairs) else None

    def of_images(self, images: Images, layer: str) -> Tensor:
        """Activations (n, ...) on the performer's device: looked up for unchanged images of a split, else computed."""
        layer, places = self.performer.layer(layer), self.known(images)
        if places is None:
            return self.performer.activations(images.pixels, [layer])[layer]
        rows = torch.tensor([place.row for place in places], dtype=torch.long)
        return self.of_split(places[0].split, layer)[rows].to(self.performer.device)

    def _fill(self, file: BinaryIO, split: Split, layer: str) -> None:
        """Write an array in .npy format, block by block: writing through a mapping, a full disk kills the process."""
        total, done = len(self.split(split)), 0
        self._check_performer()
        with torch.autocast(self.performer.device.type, enabled=False):  # a plugin may ask from within one
            for value in self._chunks(split, layer):
                block = value.float().cpu().contiguous().numpy()
                if not done:
                    np.lib.format.write_array_header_1_0(file, _header(total, block))
                file.write(block.tobytes())
                done += len(block)
                self.progress(f"{layer} of {self.performer.name} on {self.dataset.name} ({split})", done, total)
        self._check_performer()
        assert done, f"{self.dataset.name} has no {split} images"

    def _check_performer(self) -> None:
        if self.performer.state_checksum() != self._untouched:
            raise RuntimeError(f"{self.performer.name} was changed since it was opened; its activations are not cached")

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


@dataclass(frozen=True)
class KnownImages:
    """An image of a split: its index and the checksum of its pixels."""

    split: Split
    row: int
    checksum: int


@dataclass(frozen=True)
class ActivationHandle:
    """The source of activations that `Images` hold: a token, which leads to no dataset."""

    token: str

    def activations(self, images: Images, layer: str) -> Tensor:
        """See `Activations.of_images`."""
        return _OPEN[self.token].of_images(images, layer)


@dataclass(frozen=True)
class TrainingImages:
    """The training split behind a token: labels, activations and annotated batches; nothing of the test split."""

    token: str

    @property
    def labels(self) -> Tensor:
        """Class labels (N,), a copy."""
        return _OPEN[self.token].split("train").labels.clone()

    def activations(self, layer: str) -> Tensor:
        """Activations (N, ...) on the CPU, in a private memory mapping."""
        return _OPEN[self.token].mapped("train", layer)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Training images with their annotations, on the performer's device."""
        return _OPEN[self.token].batch("train", indices)

    def progress(self, what: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of `what` are done."""
        _OPEN[self.token].progress(what, done, total)


def _as_folder(name: str) -> str:
    """A name as the name of a folder; one that is too long for it, such as of a performer with paths, ends in a hash."""
    quoted = quote(name, safe=":")
    return quoted if len(quoted) <= LONGEST else f"{quoted[:LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _header(total: int, block: np.ndarray) -> dict[str, Any]:
    """The header of a .npy file of `total` rows like those of a block."""
    shape = (total, *block.shape[1:])
    return {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False, "shape": shape}


def _mapped(path: Path) -> Tensor:
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))


def checksum(pixels: Tensor) -> int:
    """CRC-32 of the bytes of an image."""
    return zlib.crc32(pixels.detach().cpu().contiguous().numpy().tobytes())
