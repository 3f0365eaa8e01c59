"""A folder of random photographs: the negatives of single tasks of datasets that have none of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Int, UInt8
from numpy import ndarray
from torch import Tensor

from partbench import Batch, ImageSet, InputError
from partbench.datasets.links import check_link
from partbench.datasets.photograph import CropMemory, as_pixels, crop, decode

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class RandomPhotographs(ImageSet):
    """Whole photographs stretched to `size` px; ids are paths within the folder, the box is the whole image."""

    thread_safe: bool = True

    def __init__(self, folder: Path, names: list[str], size: int, fingerprint: str) -> None:
        self.folder, self.names, self.size, self.fingerprint = folder, names, size, fingerprint
        self.labels: Int[Tensor, "N"] = torch.zeros(len(names), dtype=torch.long)
        self._memory = CropMemory()

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Photographs as RGB in [0, 1]. Raises InputError naming the one that cannot be decoded."""
        rows = list(indices)
        return Batch(
            ids=tuple(f"other/{self.names[i]}" for i in rows),
            pixels=as_pixels([self._photo(self.names[i]) for i in rows], self.size),
            labels=self.labels[rows],
            boxes=torch.tensor([[0.0, 0.0, self.size, self.size]]).repeat(len(rows), 1),
        )

    def _photo(self, name: str) -> UInt8[ndarray, "size size 3"]:
        return self._memory.get(name, lambda: crop(decode(self.folder / name), None, self.size))


def halves(folder: Path, size: int) -> tuple[RandomPhotographs, RandomPhotographs]:
    """The photographs of a folder and those below it, by name: every second one is for testing.

    Raises InputError if there is no such folder, it holds fewer than two, a link leads out of it or to nothing, or the
    name of a file is no UTF-8 text.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}; --other must name a folder of random photographs")
    named = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    for path in named:
        if not str(path).isprintable():  # neither are bytes that are no UTF-8
            raise InputError(f"{str(path)!r} is no name that can be printed; rename the file")
        if path.is_symlink():
            check_link(path, folder)
    files = [path for path in named if path.is_file()]
    if len(files) < 2:
        kinds = ", ".join(SUFFIXES)
        raise InputError(f"{folder} holds {len(files)} images ({kinds}), expected some for training and for testing")
    train, test = (_split(folder, files[start::2], size) for start in (0, 1))
    return train, test


def _split(folder: Path, files: list[Path], size: int) -> RandomPhotographs:
    names = [file.relative_to(folder).as_posix() for file in files]
    known = " ".join(f"{name} {file.stat().st_size}" for name, file in zip(names, files, strict=True))
    return RandomPhotographs(folder, names, size, hashlib.sha256(f"other {size} {known}".encode()).hexdigest())
