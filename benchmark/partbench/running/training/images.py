"""Which images are trained on, which are held out, how they are drawn and varied."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from partbench.errors import InputError
from partbench.plugin.dataset import ImageSet
from partbench.reading import read_pixels

SHARE = 10  # one image in so many is held out
MEMORY = 2 << 30  # bytes of pixels that are held in memory; more are read anew in every epoch
READ = 64  # images read at once
SHIFT = 16  # images are shifted by up to a 16th of their side


def split_rows(labels: Int[Tensor, "N"], names: Sequence[str]) -> tuple[Int[Tensor, "t"], Int[Tensor, "h"]]:
    """Rows to train on, and rows held out: a tenth of each class, evenly spaced, one at least.

    Raises InputError for a class with fewer than two images.
    """
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label, name in enumerate(names):
        rows = torch.nonzero(labels == label).flatten()
        if len(rows) < 2:
            raise InputError(f"{name} has {len(rows)} training images, expected at least 2: one of them is held out")
        count = max(1, len(rows) // SHARE)
        held[rows[((torch.arange(count) + 0.5) * len(rows) / count).long()]] = True
    return torch.nonzero(~held).flatten(), torch.nonzero(held).flatten()


def balanced_rows(labels: Int[Tensor, "t"], count: int, drawn: torch.Generator) -> Int[Tensor, "n"]:
    """`count` places among `labels`, each class as often as any other, each image of a class as often as the others."""
    classes = labels.unique().tolist()
    each = -(-count // len(classes))
    places = []
    for label in classes:
        rows = torch.nonzero(labels == label).flatten()
        again = [rows[torch.randperm(len(rows), generator=drawn)] for _ in range(-(-each // len(rows)))]
        places.append(torch.cat(again)[:each])
    mixed = torch.stack(places, 1).flatten()[:count]
    return mixed[torch.randperm(count, generator=drawn)]


def varied(images: Float[Tensor, "n 3 H W"], shift: bool, drawn: torch.Generator) -> Float[Tensor, "n 3 H W"]:
    """Half of the images mirrored; with `shift`, all shifted together by up to a 16th of their side."""
    mirrored = torch.rand(len(images), generator=drawn) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
    most = images.shape[-1] // SHIFT
    if not shift or not most:
        return images
    top, left = torch.randint(0, 2 * most + 1, (2,), generator=drawn).tolist()
    padded = F.pad(images, (most,) * 4, mode="replicate")
    return padded[:, :, top : top + images.shape[-2], left : left + images.shape[-1]]


class Pixels:
    """The pixels of a split as bytes: read once where they fit into memory, else whenever they are asked for."""

    def __init__(self, images: ImageSet, size: int, memory: int = MEMORY) -> None:
        self._images = images
        self._held: UInt8[Tensor, "N 3 H W"] | None = None
        if len(images) * 3 * size * size <= memory:
            self._held = torch.empty(len(images), 3, size, size, dtype=torch.uint8)
            places = torch.arange(len(images)).split(READ)
            read = read_pixels(images, [rows.tolist() for rows in places], torch.device("cpu"))
            for rows, pixels in zip(places, read, strict=True):
                self._held[rows] = _in_bytes(pixels)
                images.progress("reading images", int(rows[-1]) + 1, len(images))

    def __call__(self, rows: Int[Tensor, "n"]) -> Float[Tensor, "n 3 H W"]:
        """The images of these rows, RGB in [0, 1]."""
        found = _in_bytes(self._images.batch(rows.tolist()).pixels) if self._held is None else self._held[rows]
        return found.float() / 255


def _in_bytes(pixels: Float[Tensor, "n 3 H W"]) -> UInt8[Tensor, "n 3 H W"]:
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8)


def seed_of(*parts: object) -> int:
    """32 bits of a hash: the seed of an epoch."""
    text = "|".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
