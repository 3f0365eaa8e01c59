"""The dataset `cub`: photographs of birds of 200 species, with fifteen landmarks, boxes and the official split.

Caltech-UCSD Birds-200-2011 (Wah, Branson, Welinder, Perona, Belongie, 2011). Tasks of logits have whole photographs, as
in the SRAE paper (section 4), whose locality needs what surrounds the bird; the single task `cub/bird` has crops to the
bird's box, as in the paper on interpretable CNNs (section 6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from numpy import ndarray
from torch import Tensor

from partbench import Batch, Dataset, DatasetCard, ImageSet, InputError, Register, hookimpl
from partbench.datasets.cub.layout import (
    BOXES_FILE,
    CATEGORIES,
    LANDMARKS,
    PHOTOS,
    PLACES_FILE,
    SEGMENTATIONS,
    Birds,
    CubFolder,
)
from partbench.datasets.photograph import CropMemory, Edges, as_pixels, crop_to_edges, decode, scaled
from partbench.datasets.splits import warn_of_lacking

MATLAB_SHIFT = 0.5  # px: MATLAB puts the centre of the first pixel at 1, a Batch puts it at 0.5
SLACK = 1.0  # px that boxes and landmarks may lie beyond the edge of their photograph: some boxes do
LEAST_WITHIN = 0.5  # of a box's area that must lie within its photograph
HALF = 128  # grey level from which on a pixel of a segmentation counts to the bird: half of those who drew it


@dataclass(frozen=True)
class Shot:
    """A photograph in its frame: pixels, and the frame's edges and those of the bird's box in px of the photograph."""

    pixels: UInt8[ndarray, "size size 3"]
    frame: Edges
    box: Edges


class CubSet(ImageSet):
    """Photographs of one split, whole or cropped to the bird's box, stretched to `size` px.

    Boxes that lie partly outside the photograph are cut off at its edges.
    """

    thread_safe: bool = True

    def __init__(self, folder: CubFolder, birds: Birds, labels: Sequence[int], size: int, cropped: bool) -> None:
        self.folder, self.birds, self.size, self.cropped = folder, birds, size, cropped
        self.labels: Int[Tensor, "N"] = torch.tensor(labels, dtype=torch.long)
        self._memory = CropMemory()
        self._edges: dict[int, tuple[Edges, Edges]] = {}

    def __len__(self) -> int:
        return len(self.birds)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Photographs as RGB in [0, 1]; boxes and landmarks are in px (docs/coordinates.md), NaN where invisible.

        Raises InputError naming the photograph that cannot be decoded, or the line of a box or landmark outside it.
        """
        rows = list(indices)
        shots = [self._shot(i) for i in rows]
        frames = np.array([shot.frame for shot in shots], float).reshape(-1, 1, 2, 2)
        boxes = np.array([shot.box for shot in shots], float).reshape(-1, 2, 2)
        landmarks = self.birds.landmarks[rows] - MATLAB_SHIFT
        return Batch(
            ids=tuple(f"cub/{self.birds.names[i].removesuffix('.jpg')}" for i in rows),
            pixels=as_pixels([shot.pixels for shot in shots], self.size),
            labels=self.labels[rows],
            boxes=scaled(boxes, frames, self.size).reshape(-1, 4),
            landmarks=scaled(landmarks, frames, self.size),
        )

    def bird_masks(self, indices: Sequence[int]) -> Bool[Tensor, "n H W"]:
        """Which pixels show the bird, by the official segmentations; they are no part masks, and no part of a Batch.

        Raises InputError where there is no folder segmentations/, in or beside the folder of the dataset, or a
        segmentation is missing or is not of the size of its photograph.
        """
        masks = [self._bird_mask(i) for i in indices]
        shape = (len(masks), self.size, self.size)
        return torch.from_numpy(np.stack(masks) if masks else np.zeros(shape, bool))

    def _bird_mask(self, row: int) -> Bool[ndarray, "size size"]:
        photo = self.folder.root / PHOTOS / self.birds.names[row]
        path = self.folder.segmentations() / Path(self.birds.names[row]).with_suffix(".png")
        grey, shape = decode(path), decode(photo).shape
        if grey.shape != shape:
            found = f"{grey.shape[1]} x {grey.shape[0]} px, expected {shape[1]} x {shape[0]} as {photo.name}"
            raise InputError(f"{path} is {found}; unpack {SEGMENTATIONS}.tgz again")
        seen: Bool[ndarray, "size size"] = crop_to_edges(grey, self._shot(row).frame, self.size)[..., 0] >= HALF
        return seen

    def _shot(self, row: int) -> Shot:
        pixels = self._memory.get(self.birds.names[row], lambda: self._read(row))
        return Shot(pixels, *self._edges[row])

    def _read(self, row: int) -> UInt8[ndarray, "size size 3"]:
        photo = decode(self.folder.root / PHOTOS / self.birds.names[row])
        height, width = photo.shape[:2]
        self._check_landmarks(row, width, height)
        box = self._box(row, width, height)
        frame = box if self.cropped else (0, 0, width, height)
        self._edges[row] = frame, box
        return crop_to_edges(photo, frame, self.size)

    def _box(self, row: int, width: int, height: int) -> Edges:
        """The edges of the bird's box, rounded to px and cut off at the photograph, which at least half of it lies in.

        Published corners are taken as MATLAB's, as the released code of interpretable CNNs does: both are included.
        """
        x, y, across, down = self.birds.boxes[row].tolist()
        whole = np.floor(np.array([[x, y], [x + across, y + down]]) + 0.5) - [[1], [0]]
        low, high = edges = np.clip(whole, 0, [width, height])
        with np.errstate(invalid="ignore"):  # 0 / 0 for a box that rounds to nothing
            share = np.prod((high - low) / (whole[1] - whole[0]))
        if not share >= LEAST_WITHIN:
            where = "mostly outside" if (high > low).all() else "outside"
            found = f"box {x:g} {y:g} {across:g} {down:g} lies {where} {self.birds.names[row]}"
            self._refuse(BOXES_FILE, self.birds.box_rows[row], found, width, height)
        left, top, right, bottom = edges.ravel().astype(int).tolist()
        return left, top, right, bottom

    def _check_landmarks(self, row: int, width: int, height: int) -> None:
        """Raise InputError for a landmark outside the photograph."""
        places = self.birds.landmarks[row]
        outside = (places < -SLACK) | (places > np.array([width, height]) + SLACK)
        for landmark in np.flatnonzero(outside.any(1))[:1]:
            x, y = places[landmark]
            found = f"{LANDMARKS[landmark]} at {x:g} {y:g} lies outside {self.birds.names[row]}"
            self._refuse(PLACES_FILE, self.birds.place_rows[row, landmark], found, width, height)

    def _refuse(self, name: str, line: int, found: str, width: int, height: int) -> None:
        path = self.folder.root / name
        raise InputError(
            f"{path} line {line + 1}: {found}, which is {width} x {height} px; copy it and {PHOTOS}/ again"
        )


class Cub(Dataset):
    """Photographs of birds of 200 species, or of those species that the folder holds; whole photographs.

    The official split. The landmarks of the paper on interpretable CNNs are used for location: back, forehead, tail.
    Raises InputError with file and line if anything is missing or wrong.
    """

    name: ClassVar[str] = "cub"
    version: ClassVar[str] = "1"
    default_performer: ClassVar[str] = "lite0_head"
    needs_root: ClassVar[bool] = True
    classes: tuple[str, ...] = CATEGORIES
    categories: tuple[str, ...] = CATEGORIES
    landmark_names: tuple[str, ...] = LANDMARKS
    located: tuple[str, ...] | None = ("back", "forehead", "tail")
    card: ClassVar[DatasetCard | None] = DatasetCard(
        source="https://www.vision.caltech.edu/datasets/cub_200_2011 (CUB_200_2011.tgz; segmentations.tgz if wanted)",
        size="1.2 GB",
        licence="for non-commercial research and education; the photographs belong to their owners",
        citation="Wah, Branson, Welinder, Perona, Belongie: The Caltech-UCSD Birds-200-2011 Dataset. CNS-TR-2011-001, "
        "California Institute of Technology, 2011",
        layout="CUB_200_2011/ with images/, parts/, images.txt, classes.txt, ..., or the folder that holds it",
        train=5994,
        test=5794,
        categories=200,
    )
    cropped: ClassVar[bool] = False

    def __init__(self, root: Path | None = None, size: int = 224) -> None:
        super().__init__(root, size)
        folder = CubFolder.of(root)
        birds, sizes = folder.birds()
        labels = self._labels(birds)
        splits = [self._split(folder, birds, sizes, labels, training) for training in (True, False)]
        self.train, self.test = splits
        warn_of_lacking(self)

    @classmethod
    def categories_in(cls, root: Path | None) -> tuple[str, ...]:
        """The species that a folder holds photographs of."""
        return tuple(CATEGORIES[number - 1] for number in CubFolder.of(root).species())

    def _labels(self, birds: Birds) -> Int[ndarray, "n"]:
        """The label of each photograph; the classes are the species that are there."""
        present = np.unique(birds.species)
        self.classes = self.categories = tuple(CATEGORIES[number - 1] for number in present)
        return np.searchsorted(present, birds.species)

    def _split(
        self, folder: CubFolder, birds: Birds, sizes: Sequence[int], labels: Int[ndarray, "n"], training: bool
    ) -> CubSet:
        rows: list[int] = np.flatnonzero(birds.training == training).tolist()
        if not rows:
            split = "training" if training else "testing"
            raise InputError(f"{folder.root} has no photograph for {split} (train_test_split.txt); copy it again")
        images = CubSet(folder, birds.at(np.array(rows)), labels[rows].tolist(), self.size, self.cropped)
        known = hashlib.sha256(f"cub {self.version} {self.size} {self.cropped} {training}".encode())
        for row in rows:
            known.update(birds.described(row) + f" {sizes[row]} {labels[row]}".encode())
        images.fingerprint = known.hexdigest()
        return images


class CubCrops(Cub):
    """Birds of all species together, cropped to their boxes: the positive images of the single task `cub/bird`."""

    classes: tuple[str, ...] = ("bird",)
    categories: tuple[str, ...] = ("bird",)
    cropped: ClassVar[bool] = True

    @classmethod
    def categories_in(cls, root: Path | None) -> tuple[str, ...]:
        """Birds are in every folder."""
        return cls.categories

    def _labels(self, birds: Birds) -> Int[ndarray, "n"]:
        return np.zeros(len(birds), int)


Cub.single_images = CubCrops


@hookimpl
def register_datasets(register: Register) -> None:
    register(Cub)
