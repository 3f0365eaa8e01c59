"""The dataset `funnybirds`: rendered birds of fifty classes, with part maps, and test images that lack one part.

FunnyBirds (Hesse, Schaub-Meyer, Roth, ICCV 2023): classes differ in beak, eye, foot, tail and wing; half of the
training images lack some parts, so that images without a part are nothing new to a network.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Int8, UInt8
from numpy import ndarray
from torch import Tensor

from partbench import Batch, Dataset, DatasetCard, ImageSet, InputError, NotApplicable, Register, hookimpl
from partbench.datasets.funnybirds.layout import CLASSES, COUNTS, FunnyBirdsFolder, Pictures
from partbench.datasets.funnybirds.part_map import NOTHING, PARTS, expect_edges, part_labels
from partbench.datasets.photograph import CropMemory, as_pixels, crop, decode, nearest
from partbench.datasets.splits import warn_of_lacking

CATEGORIES = tuple(f"class_{number:02d}" for number in range(CLASSES))
PNG_END = b"IEND\xaeB`\x82"


class FunnyBirdsSet(ImageSet):
    """One split, stretched to `size` px. `removals` says whether there are images that lack one part.

    Masks are of the five parts; the body is no part, since no image lacks it, but the box is around all of the bird.
    """

    thread_safe: bool = True

    def __init__(self, folder: FunnyBirdsFolder, pictures: Pictures, labels: Sequence[int], size: int) -> None:
        self.folder, self.pictures, self.size = folder, pictures, size
        self.labels: Int[Tensor, "N"] = torch.tensor(labels, dtype=torch.long)
        self._memory = CropMemory()
        self._shapes: dict[int, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Sequence[int]) -> Batch:
        """These images, with boxes (NaN where no bird shows) and part masks.

        Raises InputError naming an image or part map that is cut off or cannot be decoded, an image of another size
        than its part map, and a part map of other colours than those of parts.
        """
        return self._batch(indices, lambda row: self.pictures.path(row), "")

    def batch_without(self, indices: Sequence[int], part: str) -> Batch:
        """The published images in which one part is not drawn.

        There are no part maps of them: masks and boxes are those of the whole image without that part, so that pixels
        behind it belong to no part. Raises NotApplicable where the folder has no such images, ValueError for a name
        that is no part.
        """
        if part not in PARTS:
            raise ValueError(f"no part named '{part}'; one of: {', '.join(PARTS)}")
        if not self.has_removals:
            raise NotApplicable(
                f"{self.folder.root} has no images without a part ({self.pictures.split}_interventions/)"
            )
        return self._batch(indices, lambda row: self.pictures.without(row, part), part)

    def _batch(self, indices: Sequence[int], path_of, part: str) -> Batch:  # type: ignore[no-untyped-def]
        rows, side = list(indices), self.size
        labels = np.stack([self._part_labels(row) for row in rows]) if rows else np.zeros((0, side, side), np.int8)
        images = [self._image(row, path_of(row)) for row in rows]
        labels = np.where(labels == PARTS.index(part), NOTHING, labels) if part else labels
        suffix = f"-{part}" if part else ""
        return Batch(
            ids=tuple(f"funnybirds/{self.pictures.path(row).removesuffix('.png')}{suffix}" for row in rows),
            pixels=as_pixels(images, side),
            labels=self.labels[rows],
            boxes=torch.from_numpy(boxes_of(labels)),
            masks=torch.from_numpy(labels[:, None] == np.arange(len(PARTS))[:, None, None]),
        )

    def _image(self, row: int, path: str) -> UInt8[ndarray, "size size 3"]:
        """An image of a row, after its part map has been read."""

        def read() -> UInt8[ndarray, "size size 3"]:
            image = self._decoded(path)
            if image.shape != self._shapes[row]:
                found, expected = (f"{one[1]} x {one[0]}" for one in (image.shape, self._shapes[row]))
                where = f"{self.folder.root / path} is {found} px"
                raise InputError(f"{where}, expected {expected} as its part map; copy the dataset again")
            return crop(image, None, self.size)

        return self._memory.get(path, read)

    def _part_labels(self, row: int) -> Int8[ndarray, "size size"]:
        path = self.pictures.path(row, "_part_map")

        def read() -> Int8[ndarray, "size size"]:
            part_map = self._decoded(path)
            self._shapes[row] = part_map.shape
            try:
                expect_edges(part_map)
            except ValueError as error:
                raise InputError(f"{self.folder.root / path} {error}; copy it again") from error
            return nearest(part_labels(part_map), self.size)

        return self._memory.get(path, read)

    def _decoded(self, path: str) -> UInt8[ndarray, "H W 3"]:
        file = self.folder.root / path
        if file.is_file() and not file.read_bytes().endswith(PNG_END):
            raise InputError(f"{file} is cut off or no PNG ({file.stat().st_size} bytes); copy it again")
        return decode(file)


class FunnyBirds(Dataset):
    """Rendered birds of fifty classes, or of those that the folder holds, with masks of beak, eye, foot, tail, wing.

    Where test_interventions/ is there, images can be had without a part. Raises InputError naming file and entry if
    anything is missing or wrong.
    """

    name: ClassVar[str] = "funnybirds"
    version: ClassVar[str] = "1"
    default_performer: ClassVar[str] = "lite0_head"
    needs_root: ClassVar[bool] = True
    classes: tuple[str, ...] = CATEGORIES
    categories: tuple[str, ...] = CATEGORIES
    part_names: tuple[str, ...] = PARTS
    card: ClassVar[DatasetCard | None] = DatasetCard(
        source="https://github.com/visinf/funnybirds (FunnyBirds.zip)",
        size="1.6 GB",
        licence="code: Apache-2.0; none is stated for the images",
        citation="Hesse, Schaub-Meyer, Roth: FunnyBirds: A Synthetic Vision Dataset for a Part-Based Analysis of "
        "Explainable AI Methods. ICCV 2023",
        layout="FunnyBirds/ with classes.json, dataset_train.json, train/, train_part_map/, test/, test_part_map/ and, "
        "for part_effect_agreement, test_interventions/; or the folder that holds it",
        train=COUNTS["train"],
        test=COUNTS["test"],
        categories=CLASSES,
    )

    def __init__(self, root: Path | None = None, size: int = 224) -> None:
        super().__init__(root, size)
        folder = FunnyBirdsFolder.of(root)
        present = folder.classes()
        self.classes = self.categories = tuple(CATEGORIES[number] for number in present)
        train, test = (folder.pictures(split, present) for split in COUNTS)
        self.train, self.test = self._set(folder, train, present), self._set(folder, test, present)
        warn_of_lacking(self)
        removals = folder.removals(test)
        self.test.has_removals = bool(removals)
        self.test.fingerprint = hashlib.sha256(f"{self.test.fingerprint} {removals}".encode()).hexdigest()
        if (len(self.train), len(self.test)) != tuple(COUNTS.values()):
            counts = f"{len(self.train)} of 50,000 train and {len(self.test)} of 500 test images, of {len(present)}"
            warnings.warn(f"funnybirds: {folder.root} holds {counts} of {CLASSES} classes", stacklevel=2)

    @classmethod
    def categories_in(cls, root: Path | None) -> tuple[str, ...]:
        """The classes that a folder holds images of."""
        return tuple(CATEGORIES[number] for number in FunnyBirdsFolder.of(root).classes())

    def _set(self, folder: FunnyBirdsFolder, pictures: Pictures, present: list[int]) -> FunnyBirdsSet:
        labels = np.searchsorted(present, pictures.classes)
        images = FunnyBirdsSet(folder, pictures, labels.tolist(), self.size)
        known = hashlib.sha256(f"funnybirds {self.version} {self.size} {pictures.split} {self.classes}".encode())
        for array in (pictures.numbers, pictures.classes, pictures.sizes):
            known.update(array.astype(np.int64).tobytes())
        images.fingerprint = known.hexdigest()
        return images


def boxes_of(labels: Int8[ndarray, "n H W"]) -> Float[ndarray, "n 4"]:
    """Boxes x0 y0 x1 y1 in px around all that is labelled, NaN where nothing is."""
    shown = labels != NOTHING
    sides = []
    for along in (shown.any(1), shown.any(2)):
        low, high = along.argmax(1), along.shape[1] - along[:, ::-1].argmax(1)
        sides.append(np.where(along.any(1)[:, None], np.stack([low, high], 1), np.nan))
    x, y = sides
    return np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1).astype(np.float32)


@hookimpl
def register_datasets(register: Register) -> None:
    register(FunnyBirds)
