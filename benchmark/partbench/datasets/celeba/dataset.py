"""The dataset `celeba`: aligned photographs of faces, forty attributes, five landmarks.

Large-scale CelebFaces Attributes (Liu, Luo, Wang, Tang, ICCV 2015). The four attribute tasks are those of "Explaining
Neural Networks Semantically and Quantitatively" (Chen et al., ICCV 2019, section 4.2).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from partbench import Batch, Dataset, DatasetCard, ImageSet, InputError, Register, hookimpl
from partbench.datasets.celeba.layout import (
    ARCHIVE,
    ATTRIBUTES,
    LANDMARKS,
    PARTITION_FILE,
    PARTITIONS,
    PHOTOS,
    CelebaFolder,
    Faces,
)
from partbench.datasets.photograph import CropMemory, as_pixels, crop, decode

WIDTH, HEIGHT = 178, 218  # px of every aligned photo
TRAIN, TEST = 0, 2  # partition 1, for validation, is not used


class CelebASet(ImageSet):
    """The photos of one partition, each stretched to `size` x `size` px, which does not keep the aspect."""

    thread_safe: bool = True

    def __init__(self, folder: Path, faces: Faces, rows: list[int], size: int, fingerprint: str) -> None:
        self.folder, self.size, self.fingerprint = folder, size, fingerprint
        self.names = [faces.names[i] for i in rows]
        self.labels: Int[Tensor, "N"] = torch.zeros(len(rows), dtype=torch.long)
        self.attributes: Float[Tensor, "N 40"] = torch.from_numpy(faces.attributes[rows]).float()
        scale = torch.tensor([size / WIDTH, size / HEIGHT])
        self._landmarks: Float[Tensor, "N 5 2"] = (torch.from_numpy(faces.landmarks[rows]).float() + 0.5) * scale
        self._memory = CropMemory()

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Photos as RGB in [0, 1]; landmarks are x y in px (docs/coordinates.md).

        Published pixel numbers count from 0: pixel i has its centre at i + 0.5. Raises InputError naming a photo that
        cannot be read.
        """
        rows = list(indices)
        return Batch(
            ids=tuple(f"celeba/{Path(self.names[i]).stem}" for i in rows),
            pixels=as_pixels([self._photo(self.names[i]) for i in rows], self.size),
            labels=self.labels[rows],
            landmarks=self._landmarks[rows],
            attributes=self.attributes[rows],
        )

    def _photo(self, name: str) -> UInt8[ndarray, "size size 3"]:
        return self._memory.get(name, lambda: self._read(name))

    def _read(self, name: str) -> UInt8[ndarray, "size size 3"]:
        path = self.folder / name
        photo = decode(path)
        if photo.shape[:2] != (HEIGHT, WIDTH):
            found = f"{photo.shape[1]} x {photo.shape[0]}"
            raise InputError(f"{path} is {found} px, expected {WIDTH} x {HEIGHT}; copy img_align_celeba.zip again")
        return crop(photo, None, self.size)


class CelebA(Dataset):
    """Photographs of faces, whose attributes are explained by other attributes: attractive, heavy_makeup, male, young.

    Partition 0 of the official split is for training, 2 for testing; of the photos those that are there. Raises
    InputError naming file and line if anything is missing or wrong. The network of the paper, a VGG-16 trained on the
    forty attributes, is not among the performers: the default one is a head trained on them from the photos at hand.
    """

    name: ClassVar[str] = "celeba"
    version: ClassVar[str] = "1"
    default_performer: ClassVar[str] = "lite0_head"
    needs_root: ClassVar[bool] = True
    card: ClassVar[DatasetCard | None] = DatasetCard(
        source="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (aligned and cropped images, Anno, Eval)",
        size="1.4 GB",
        licence="for non-commercial research; the photographs belong to their owners",
        citation="Liu, Luo, Wang, Tang: Deep Learning Face Attributes in the Wild. ICCV 2015",
        layout=f"a folder with Anno/, Eval/ and {PHOTOS}/; or with their files and img_align_celeba/, as torchvision "
        "lays them out; or with Kaggle's .csv files. Any part of the photos",
        train=162_770,
        test=19_962,
    )
    classes: tuple[str, ...] = ("face",)
    categories: tuple[str, ...] = ()
    attribute_names: tuple[str, ...] = ATTRIBUTES
    attribute_tasks: Mapping[str, str] = {
        f"attribute-{name.lower()}": name for name in ("Attractive", "Heavy_Makeup", "Male", "Young")
    }
    landmark_names: tuple[str, ...] = LANDMARKS
    part_names: tuple[str, ...] = ()

    def __init__(self, root: Path | None = None, size: int = 224) -> None:
        super().__init__(root, size)
        folder = CelebaFolder.of(root)
        faces, found = folder.faces(), folder.photo_sizes()
        self.train = self._split(folder, faces, found, TRAIN)
        self.test = self._split(folder, faces, found, TEST)

    def _split(self, folder: CelebaFolder, faces: Faces, found: Mapping[str, int], partition: int) -> CelebASet:
        listed: list[int] = np.flatnonzero(faces.partition == partition).tolist()
        what = PARTITIONS[partition]
        if not listed:
            path = folder.path_of(PARTITION_FILE)
            raise InputError(f"{path} has no photo of partition {partition} ({what}); copy it again")
        rows = [i for i in listed if faces.names[i] in found]
        if len(rows) < len(listed):
            _tell_missing(folder, faces, listed, rows, what)
        sizes = " ".join(f"{faces.names[i]} {found[faces.names[i]]}" for i in rows)
        text = f"{self.name} {self.version} {self.size} {partition} {folder.digest.hexdigest()} {sizes}"
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        return CelebASet(folder.photos(), faces, rows, self.size, fingerprint)


def _tell_missing(folder: CelebaFolder, faces: Faces, listed: list[int], rows: list[int], what: str) -> None:
    """Warn that photos of a partition are missing; raise InputError if all are."""
    first = min(set(listed) - set(rows))
    where = (
        f"first missing {faces.names[first]} ({folder.path_of(PARTITION_FILE).name} line {faces.first_line + first})"
    )
    text = f"{folder.photos()} holds {len(rows):,} of {len(listed):,} photos for {what}, {where}"
    if not rows:
        raise InputError(f"{text}; unpack {ARCHIVE} again")
    warnings.warn(f"celeba: {text}", stacklevel=4)


@hookimpl
def register_datasets(register: Register) -> None:
    register(CelebA)
