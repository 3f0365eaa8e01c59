"""A dataset from a folder of images in sub-folders by class, with masks or boxes of parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from partbench.datasets.photograph import CropMemory, as_pixels, crop, decode
from partbench.errors import InputError
from partbench.plugin.dataset import OTHER, Dataset, ImageSet
from partbench.short_forms.arguments import expect, expect_declared
from partbench.short_forms.callers import calling_module
from partbench.short_forms.folder_layout import ImageFolder, Picture, classes_in, read_folder
from partbench.types import Batch

NO_PART = (0, 255)  # values of a palette; 255 as in Pascal VOC
NO_BOX = (np.nan,) * 4


def folder_dataset(
    name: str, folder: str | Path | None = None, *, default_performer: str, categories: Sequence[str] = (),
    parts: Sequence[str] = (), version: str = "1",
) -> type[FolderDataset]:  # fmt: skip
    """The dataset class of a folder of images.

    | file | what it is |
    |---|---|
    | `robin/a.jpg` | an image of the class robin: jpg, png or bmp, of any size, stretched to a square |
    | `other/b.jpg` | a random image, a negative of single tasks; may be left out |
    | `masks/robin/a.png` | a palette of parts: pixels of value i show part i, counted from 1; 0 and 255 show none |
    | `masks/robin/a/beak.png` | instead, a mask for each part: pixels above 0 show it |
    | `boxes.csv` | boxes: columns image, part, x0, y0, x1, y1, and as image `robin/a.jpg` |
    | `boxes.json` | instead, a list of objects with these keys |

    Boxes are in px of the image file: pixel i spans [i, i + 1). The box of the part "" is that of the object. Masks
    have the size of their image; where there are masks, they are the parts, and boxes of parts are not read. Landmarks
    are the centres of the parts. Of each class every second image, by name, is for testing. Where the classes lie in
    `train/` and `test/`, these are the splits (then a mask is `masks/train/robin/a.png`, an image `train/robin/a.jpg`).

    `folder` may be left out if `categories` are given: then it is what `--data-root` names. `categories` are by default
    all sub-folders; `other` among them says that there are random images. `parts` names the parts in order, for a
    palette those of the values 1, 2, ...; by default they are those that have boxes or masks of their own.
    `default_performer` is what tasks are opened with. Raise `version` when images change but their sizes in bytes do
    not.

    Raises InputError without a folder and categories, for a folder without classes, for a class whose name cannot be
    part of the name of a task, and for arguments of another type.
    """
    title = name if isinstance(name, str) else "folder_dataset"
    path = isinstance(folder, str | Path) and folder != ""
    expect(folder is None or path, title, "folder", folder, "the path of a folder of images")
    for what, names in (("categories", categories), ("parts", parts)):
        texts = isinstance(names, (list, tuple)) and all(isinstance(one, str) and one for one in names)
        if not texts or len(set(names)) < len(names):
            raise InputError(f"{name}: {what} are {names!r:.60}, expected a list of different names")
    if folder is None and not categories:
        raise InputError(f"{name}: expected a folder, or categories of a folder that --data-root names")
    classes = tuple(categories) or classes_in(Path(str(folder)))
    for category in classes:
        if (
            not re.fullmatch(r"[^\s/\\@:*?\[\]=,]+", category)
            or category == "multi"
            or category.startswith("attribute-")
        ):
            raise InputError(f"{name}: a class named {category!r}; expected such as black_footed_albatross; rename it")
    own = tuple(category for category in classes if category != OTHER)
    attributes = {
        "name": name, "version": version, "default_performer": default_performer, "categories": own,
        "classes": (*own, *(OTHER for category in classes if category == OTHER)), "needs_root": folder is None,
        "_folder": None if folder is None else Path(folder).resolve(), "_parts": tuple(parts),
        "__module__": calling_module(), "__doc__": f"Images of {', '.join(own)} in a folder.",
    }  # fmt: skip
    made = type(str(name), (FolderDataset,), attributes)
    expect_declared("datasets", made)
    return made


class FolderDataset(Dataset):
    """Base of the classes that `folder_dataset` makes. Opening raises InputError naming a file that is missing."""

    _folder: ClassVar[Path | None]
    _parts: ClassVar[tuple[str, ...]]

    def __init__(self, root: Path | None = None, size: int = 224) -> None:
        super().__init__(root, size)
        root = self._folder or root
        if root is None or not root.is_dir():
            found = f"{self.name} needs --data-root DIR" if root is None else f"no folder {root}"
            raise InputError(f"{found}; expected a folder with the sub-folders {', '.join(self.classes)}")
        folder = read_folder(root, self.classes)
        self.part_names = self.landmark_names = self._parts or tuple(folder.parts())
        if unknown := sorted(set(folder.parts()) - set(self.part_names)):
            raise InputError(f"{root} has parts {', '.join(unknown)}; expected {', '.join(self.part_names)}")
        if folder.masks and not self.part_names:
            raise InputError(
                f"{root / 'masks'} holds palettes; name the parts of their values: folder_dataset(parts=...)"
            )
        self.train, self.test = (FolderImages(folder, split, self) for split in ("train", "test"))


class FolderImages(ImageSet):
    """A split of a folder; ids are paths within the folder."""

    def __init__(self, folder: ImageFolder, split: str, dataset: Dataset) -> None:
        self.folder, self.pictures, self.size = folder, folder.pictures[split], dataset.size
        self.parts = dataset.part_names
        self.labels = torch.tensor([dataset.classes.index(picture.category) for picture in self.pictures])
        known = ",".join((dataset.version, str(dataset.size), *dataset.classes, *self.parts))
        self.fingerprint = f"{known},{folder.fingerprint(split)}"
        self._memory = CropMemory()
        self._sizes: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Images as RGB in [0, 1], with the masks or boxes that there are. Raises InputError naming a broken file."""
        rows = [self.pictures[i] for i in indices]
        size, masks, part_boxes, landmarks = self.size, None, None, None
        photos = [self._photo(picture) for picture in rows]  # first: sizes of files become known
        if self.folder.masks:
            masks = torch.from_numpy(
                np.array([self._masks(row) for row in rows]).reshape(-1, len(self.parts), size, size)
            )
            landmarks = _centroids(masks)
        elif self.parts:
            part_boxes = self._boxes(rows, self.parts)
            landmarks = (part_boxes[..., :2] + part_boxes[..., 2:]) / 2
        objects = any("" in boxes for boxes in self.folder.boxes.values())
        return Batch(
            ids=tuple(picture.name for picture in rows),
            pixels=as_pixels(photos, size),
            labels=self.labels[list(indices)],
            boxes=self._boxes(rows, [""])[:, 0] if objects else None,
            landmarks=landmarks,
            masks=masks,
            part_boxes=part_boxes,
        )

    def _photo(self, picture: Picture) -> UInt8[ndarray, "size size 3"]:
        return self._memory.get(picture.name, lambda: self._read(picture))

    def _read(self, picture: Picture) -> UInt8[ndarray, "size size 3"]:
        image = decode(self.folder.root / picture.name)
        self._sizes[picture.name] = image.shape[1], image.shape[0]
        return crop(image, None, self.size)

    def _boxes(self, rows: Sequence[Picture], parts: Sequence[str]) -> Float[Tensor, "n p 4"]:
        """Boxes in px of the square image, cut off at its edges, after the images have been read."""
        known = [[self.folder.boxes.get(row.name, {}).get(part, NO_BOX) for part in parts] for row in rows]
        boxes = torch.tensor(known).reshape(-1, len(parts), 4)
        scale = torch.tensor([self.size / side for row in rows for side in self._sizes[row.name] * 2]).view(-1, 1, 4)
        return (boxes * scale).clamp(0, self.size)

    def _masks(self, picture: Picture) -> Bool[ndarray, "p size size"]:
        """The masks of an image after it has been read; an image without masks shows no part."""
        files = self.folder.masks.get(picture.name, {})
        found = np.zeros((len(self.parts), self.size, self.size), bool)
        for part, path in files.items():
            values = self._mask(path, picture)
            if part:
                found[self.parts.index(part)] = values > 0
            else:
                found |= values == np.arange(1, len(self.parts) + 1, dtype=np.uint8)[:, None, None]
                if beyond := sorted({*np.unique(values).tolist()} - {*range(len(self.parts) + 1), *NO_PART}):
                    raise InputError(f"{path} has the value {beyond[0]}, expected 0 to {len(self.parts)}, or 255")
        return found

    def _mask(self, path: Path, picture: Picture) -> UInt8[ndarray, "size size"]:
        """The values of a mask at the size of the images: those nearest to the centres of pixels."""
        try:
            with Image.open(path) as image:
                mode, values = image.mode, np.array(image)
        except Exception as error:  # damaged files surface as exceptions of many kinds
            raise InputError(f"cannot decode {path}; copy it again") from error
        if mode not in ("1", "L", "P"):
            raise InputError(f"{path} is {mode}, expected a palette or grey levels")
        if values.shape[::-1] != self._sizes[picture.name]:
            sizes = " x ".join(map(str, self._sizes[picture.name]))
            raise InputError(
                f"{path} is {values.shape[1]} x {values.shape[0]} px, its image {sizes}; expected the same"
            )
        return cv2.resize(values.astype(np.uint8), (self.size, self.size), interpolation=cv2.INTER_NEAREST_EXACT)


def _centroids(masks: Bool[Tensor, "n p H W"]) -> Float[Tensor, "n p 2"]:
    """Means of the centres of the pixels that show a part, as x y; NaN where none does."""
    count = masks.sum((2, 3))
    axes = (torch.arange(side) + 0.5 for side in masks.shape[:1:-1])
    return torch.stack([(masks.sum(2 + i) * axis).sum(2) / count for i, axis in enumerate(axes)], -1)
