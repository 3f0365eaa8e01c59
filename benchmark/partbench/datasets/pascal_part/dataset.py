"""The dataset `pascal_part`: crops of photographs of six animals, with masks of their parts.

Pascal-Part (Chen, Mottaghi, Liu, Fidler, Urtasun, Yuille, CVPR 2014) on the photographs of PASCAL VOC 2010, as used in
"Interpretable Convolutional Neural Networks" (Zhang, Wu, Zhu, CVPR 2018, section 6): six animals, each cropped to its
box; parts are merged as there, and metrics of location use head, neck and torso.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Int, UInt8
from numpy import ndarray
from torch import Tensor

from partbench import Batch, Dataset, DatasetCard, ImageSet, InputError, Register, hookimpl
from partbench.datasets.pascal_part.layout import ANNOTATIONS, PHOTOS, PascalPartFolder
from partbench.datasets.pascal_part.objects import Animals
from partbench.datasets.pascal_part.parts import CATEGORIES, LANDMARKS, PARTS
from partbench.datasets.photograph import CropMemory, as_pixels, crop_to_edges, decode, scaled
from partbench.datasets.splits import warn_of_lacking


class PascalPartSet(ImageSet):
    """Animals of one split, cropped to their boxes and stretched to `size` px."""

    thread_safe: bool = True

    def __init__(self, folder: PascalPartFolder, animals: Animals, labels: Sequence[int], size: int) -> None:
        self.folder, self.animals, self.size = folder, animals, size
        self.labels: Int[Tensor, "N"] = torch.tensor(labels, dtype=torch.long)
        self._memory = CropMemory()

    def __len__(self) -> int:
        return len(self.animals)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Crops as RGB in [0, 1], with part masks and landmarks; the box is the whole crop, since the crop is the box.

        Landmarks are centres of the boxes of parts, in px (docs/coordinates.md), NaN where the part does not show.
        Raises InputError naming a photograph that cannot be decoded or is not of the size of its annotation.
        """
        rows, side = list(indices), self.size
        masks = [self.animals.masks(row, side) for row in rows]
        return Batch(
            ids=tuple(f"pascal_part/{self._id(row)}" for row in rows),
            pixels=as_pixels([self._crop(row) for row in rows], side),
            labels=self.labels[rows],
            boxes=torch.tensor([[0.0, 0.0, side, side]]).repeat(len(rows), 1),
            landmarks=self._landmarks(rows),
            masks=torch.from_numpy(np.stack(masks) if masks else np.zeros((0, len(PARTS), side, side), bool)),
        )

    def _id(self, row: int) -> str:
        return f"{self.animals.photographs[row]}/{self.animals.numbers[row]}"

    def _landmarks(self, rows: Sequence[int]) -> Tensor:
        """x y in px of the photograph as x y in px of the image."""
        return scaled(self.animals.landmarks[rows], self.animals.boxes[rows].reshape(-1, 1, 2, 2), self.size)

    def _crop(self, row: int) -> UInt8[ndarray, "size size 3"]:
        return self._memory.get(self._id(row), lambda: self._read(row))

    def _read(self, row: int) -> UInt8[ndarray, "size size 3"]:
        name = self.animals.photographs[row]
        photo, shape = decode(self.folder.photograph(name)), tuple(self.animals.shapes[row].tolist())
        if photo.shape[:2] != shape:
            found, expected = (f"{one[1]} x {one[0]}" for one in (photo.shape, shape))
            annotation = f"{ANNOTATIONS}/{name}.mat"
            where = f"{self.folder.photograph(name)} is {found} px, expected {expected} as {annotation}"
            raise InputError(f"{where}; copy both again")
        return crop_to_edges(photo, self.animals.boxes[row].tolist(), self.size)


class PascalPart(Dataset):
    """Photographs of bird, cat, cow, dog, horse and sheep with masks of their parts; each animal is an image.

    Animals whose box has less than 2,500 px are left out. Those of VOC's list train.txt are for training, of val.txt
    for testing; without these lists every second photograph of a category. Raises InputError naming the file if
    anything is missing or wrong.
    """

    name: ClassVar[str] = "pascal_part"
    version: ClassVar[str] = "1"
    default_performer: ClassVar[str] = "lite0_head"
    needs_root: ClassVar[bool] = True
    classes: tuple[str, ...] = CATEGORIES
    categories: tuple[str, ...] = CATEGORIES
    landmark_names: tuple[str, ...] = LANDMARKS
    part_names: tuple[str, ...] = PARTS
    card: ClassVar[DatasetCard | None] = DatasetCard(
        source="https://roozbehm.info/pascal-parts/pascal-parts.html (trainval.tar.gz) and "
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2010 (VOCtrainval_03-May-2010.tar)",
        size="1.3 GB of photographs; that of the annotations is not published",
        licence="none is stated for the annotations; the photographs are under Flickr's terms",
        citation="Chen, Mottaghi, Liu, Fidler, Urtasun, Yuille: Detect What You Can: Detecting and Representing "
        "Objects using Holistic Models and Body Parts. CVPR 2014",
        layout=f"a folder with {ANNOTATIONS}/ and VOCdevkit/VOC2010/{PHOTOS}/; the split is that of "
        "VOC2010/ImageSets/Main/train.txt and val.txt, or without them every second photograph of a category",
        categories=len(CATEGORIES),
    )

    def __init__(self, root: Path | None = None, size: int = 224) -> None:
        super().__init__(root, size)
        folder = PascalPartFolder.of(root)
        found = folder.animals()
        names = list(dict.fromkeys(found.photographs))
        sizes = dict(zip(names, folder.sizes(names), strict=True))
        animals = folder.readable(found)
        present = _present(found)
        self.classes = self.categories = tuple(CATEGORIES[kind] for kind in present)
        training = folder.training(animals)
        for split, chosen in (("train", training), ("test", ~training)):
            rows = np.flatnonzero(chosen).tolist()
            if not rows:
                raise InputError(f"{folder.annotations} has no animal for the {split} split; copy the whole dataset")
            setattr(self, split, self._set(folder, animals.at(rows), present, sizes))
        warn_of_lacking(self)

    @classmethod
    def categories_in(cls, root: Path | None) -> tuple[str, ...]:
        """The animals that a folder holds annotations of."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # opening the dataset gives them again
            return tuple(CATEGORIES[kind] for kind in _present(PascalPartFolder.of(root).animals()))

    def _set(
        self, folder: PascalPartFolder, animals: Animals, present: list[int], sizes: dict[str, int]
    ) -> PascalPartSet:
        labels = np.searchsorted(present, animals.kinds).tolist()
        images = PascalPartSet(folder, animals, labels, self.size)
        known = hashlib.sha256(f"pascal_part {self.version} {self.size} {self.classes}".encode())
        for row, name in enumerate(animals.photographs):
            known.update(animals.described(row) + f" {sizes[name]} {labels[row]}".encode())
        images.fingerprint = known.hexdigest()
        return images


def _present(animals: Animals) -> list[int]:
    """The kinds of animals that there are, in order. Raises InputError if there are none."""
    if not len(animals):
        raise InputError(f"no annotation has a {', '.join(CATEGORIES)} of 2,500 px or more; copy the whole dataset")
    present: list[int] = np.unique(animals.kinds).tolist()
    return present


@hookimpl
def register_datasets(register: Register) -> None:
    register(PascalPart)
