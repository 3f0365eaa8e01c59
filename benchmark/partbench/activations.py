"""Activations of a frozen performer on a dataset: computed once, cached on disk, shared by explainers and tasks."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

import numpy as np
import torch
from torch import Tensor

from partbench.cache.folder import cache_folder
from partbench.cache.item import CacheItem
from partbench.errors import InputError
from partbench.freed_memory import return_after
from partbench.half_stored import HalfStored, rounded, stored_precision
from partbench.nn.torch_setup import return_mapped_memory
from partbench.performer import ROLES, Performer
from partbench.plugin.dataset import Dataset, ImageSet, Progress, silent
from partbench.reading import read_batches, read_pixels
from partbench.types import Batch, Images, Split, opaque_id

WhenStored = Literal["before", "shared", "asked"]
CHUNK = 64
LONGEST = 200  # characters of the name of a folder
SHARED = 1 << 30  # bytes up to which a layer of both splits is stored before an explainer asks for it


# Open activations by token. The objects that explainers get hold the token, not the activations, so that no chain of
# attributes leads from them to the dataset.
_OPEN: dict[str, Activations] = {}


class Activations:
    """Activations of `performer` on both splits of `dataset`, one memory-mapped file per split and layer.

    A layer is stored when it is first asked for. It is computed from the nearest layer below it that is stored, else
    from the images: the bits are the same. Neither needs memory for more than `CHUNK` images. A process tests the
    checksum of a file before it maps it for the first time. Nothing is cached of a performer that is not as it was
    when it was opened. With $PARTBENCH_ACTIVATIONS `float16` all layers but the logits are rounded to half precision
    and stored so, in files of their own.
    """

    def __init__(self, dataset: Dataset, performer: Performer, folder: Path | None = None) -> None:
        self.dataset, self.performer = dataset, performer
        key = "|".join([performer.fingerprint, dataset.train.fingerprint, dataset.test.fingerprint, str(dataset.size)])
        name = f"{dataset.name}-{performer.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self.root, self.name = folder or cache_folder(), _as_folder(name)
        self.progress: Progress = silent
        self.precision = stored_precision()
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
        name = f"{self.name}/{split}-{quote(layer, safe='')}"
        return CacheItem("activations", name + ("-float16" if self._halved(layer) else ""), ".npy", self.root)

    def shared(self) -> tuple[str, ...]:
        """The layers that are stored before any explainer asks: the logits, and a layer below that they follow from.

        That is the target where both splits of it take at most `SHARED` bytes, else the lowest vector layer of which
        they do. Larger layers are stored when an explainer asks for them.
        """
        logits, layers = self.performer.layer("logits"), self.with_roles()
        vectors = [name for name in layers if len(self._shapes[name]) == 1]
        small = (name for name in [layers[0], *vectors] if self.bytes_of(name) <= SHARED)
        return tuple(dict.fromkeys([next(small, logits), logits]))

    def bytes_of(self, layer: str) -> int:
        """Bytes of the activations of both splits, stored or not."""
        images = len(self.split("train")) + len(self.split("test"))
        layer = self.performer.layer(layer)
        return images * self._shapes[layer].numel() * (2 if self._halved(layer) else 4)

    def when_stored(self, layer: str) -> WhenStored:
        """ "before" this run, "shared" by all cells, or "asked": when an explainer asks for the layer."""
        layer = self.performer.layer(layer)
        if all(self.item(split, layer).exists() for split in ("train", "test")):
            return "before"
        return "shared" if layer in self.shared() else "asked"

    def _halved(self, layer: str) -> bool:
        """Whether a layer is stored in half precision: logits never are, which decide."""
        return self.precision == torch.half and layer != self.performer.layer("logits")

    @cached_property
    def _shapes(self) -> dict[str, torch.Size]:
        """The shape of the activations of one image, by layer."""
        blank = torch.zeros(1, 3, self.performer.input_size, self.performer.input_size)
        found = self.performer.activations(blank, list(self.performer.stages))
        return {layer: value.shape[1:] for layer, value in found.items()}

    def release(self) -> None:
        """Give back the memory of the layers that are mapped; they are mapped again when asked for."""
        self._layers.clear()

    def batch(self, split: Split, indices: Sequence[int]) -> Batch:
        """Images of a split with their annotations, on the performer's device; their activations can be looked up."""
        return self._noted(split, indices, self.split(split).batch(indices))

    def batches(self, split: Split, chunks: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """As `batch`, of each of several sequences of indices in turn, some read ahead."""
        read = read_batches(self.split(split), chunks, self.performer.device)
        for indices, batch in zip(chunks, read, strict=True):
            yield self._noted(split, indices, batch)

    def _noted(self, split: Split, indices: Sequence[int], batch: Batch) -> Batch:
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
        stored = self.of_split(places[0].split, layer)
        found = stored[rows].to(self.performer.device)
        return_mapped_memory(stored)
        return found

    def _fill(self, file: BinaryIO, split: Split, layer: str) -> None:
        """Write an array in .npy format, block by block: writing through a mapping, a full disk kills the process."""
        total, done = len(self.split(split)), 0
        self._check_performer()
        with torch.autocast(self.performer.device.type, enabled=False):  # a plugin may ask from within one
            for value in self._chunks(split, layer):
                block = (rounded(value) if self._halved(layer) else value.float()).cpu().contiguous().numpy()
                if not done:
                    np.lib.format.write_array_header_1_0(file, _header(total, block))
                file.write(block.tobytes())
                done += len(block)
                return_after(12 * CHUNK * self.dataset.size**2)
                self.progress(f"{layer} of {self.performer.name} on {self.dataset.name} ({split})", done, total)
        self._check_performer()
        if not done:
            raise InputError(f"{self.dataset.name} has no {split} images, expected at least one")

    def _check_performer(self) -> None:
        if self.performer.state_checksum() != self._untouched:
            raise RuntimeError(f"{self.performer.name} was changed since it was opened; its activations are not cached")

    def _chunks(self, split: Split, layer: str) -> Iterator[Tensor]:
        total, base = len(self.split(split)), self._base(split, layer)
        chunks = [range(start, min(start + CHUNK, total)) for start in range(0, total, CHUNK)]
        if base is not None:
            below = self.of_split(split, base)
            for rows in chunks:
                yield self._upwards(base, below[rows.start : rows.stop], layer)
                return_mapped_memory(below)
            return
        for pixels in read_pixels(self.split(split), chunks, self.performer.device):
            yield self._upwards("images", pixels, layer)

    def _base(self, split: Split, layer: str) -> str | None:
        """The layer that another is computed from: the highest stored one below it, else the one to be shared."""
        below = self.with_roles(layer)
        stored = next((name for name in reversed(below) if self.item(split, name).exists()), None)
        return stored or next((name for name in self.shared() if name in below), None)

    def _upwards(self, start: str, value: Tensor, layer: str) -> Tensor:
        """A layer from one below or "images"; layers on the way that play a role are as they are on disk."""
        stages = list(self.performer.stages)
        above = -1 if start == "images" else stages.index(start)
        for name in self.with_roles(layer):
            if stages.index(name) <= above:
                continue
            value, start = self.performer.forward_from(start, value, name).float().contiguous(), name
            value = rounded(value).float() if self._halved(name) else value
        return self.performer.forward_from(start, value, layer)

    def with_roles(self, layer: str | None = None) -> list[str]:
        """The layers that play a role, in order; those below `layer`."""
        stages = list(self.performer.stages)
        names = {self.performer.layer(role) for role in ROLES if self.performer.has(role)}
        return [name for name in stages[: None if layer is None else stages.index(layer)] if name in names]


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

    def batches(self, chunks: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """As `batch`, of each of several sequences of indices in turn."""
        return _OPEN[self.token].batches("train", chunks)

    def progress(self, what: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of `what` are done."""
        _OPEN[self.token].progress(what, done, total)


def _as_folder(name: str) -> str:
    """A name as that of a folder; one too long for it, as of a performer with paths, is cut and ends in a hash."""
    quoted = quote(name, safe=":")
    return quoted if len(quoted) <= LONGEST else f"{quoted[:LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _header(total: int, block: np.ndarray) -> dict[str, Any]:
    """The header of a .npy file of `total` rows like those of a block."""
    shape = (total, *block.shape[1:])
    return {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False, "shape": shape}


def _mapped(path: Path) -> Tensor:
    found = torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
    return HalfStored.of(found) if found.dtype == torch.half else found


def checksum(pixels: Tensor) -> int:
    """CRC-32 of the bytes of an image."""
    return zlib.crc32(pixels.detach().cpu().contiguous().numpy().tobytes())
