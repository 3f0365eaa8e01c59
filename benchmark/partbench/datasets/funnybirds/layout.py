"""The files of FunnyBirds as published: which images there are and what they show."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from partbench import InputError
from partbench.datasets.data_root import given_root
from partbench.datasets.folder_files import and_others, sizes_in
from partbench.datasets.funnybirds.part_map import PARTS
from partbench.datasets.links import check_link
from partbench.datasets.text_table import AGAIN, json_of

NESTED = "FunnyBirds"  # the folder that the archive unpacks to
CLASSES = 50
CLASSES_FILE, PARTS_FILE = "classes.json", "parts.json"
COUNTS = {"train": 50_000, "test": 500}
WANTED = f"the folder {NESTED}/ that holds {CLASSES_FILE}, dataset_train.json, train/, train_part_map/, test/, ..."


@dataclass(frozen=True)
class Pictures:
    """n images of a split: `numbers` run over the whole split and `classes` are class_idx, both from 0.

    `sizes` are bytes of the image and its part map.
    """

    split: str
    numbers: Int[ndarray, "n"]
    classes: Int[ndarray, "n"]
    sizes: Int[ndarray, "n 2"]

    def path(self, row: int, kind: str = "") -> str:
        """The file of an image below the folder; of its part map with `kind` "_part_map"."""
        return f"{self.split}{kind}/{self.classes[row]}/{self.numbers[row]:06d}.png"

    def without(self, row: int, part: str) -> str:
        """The file of the image in which one part is not drawn."""
        kept = "_".join(name for name in PARTS if name != part)
        return f"{self.split}_interventions/{self.classes[row]}/{self.numbers[row]:06d}/body_{kept}.png"


@dataclass(frozen=True)
class FunnyBirdsFolder:
    """The folder in the published layout."""

    root: Path

    @classmethod
    def of(cls, root: Path | None) -> FunnyBirdsFolder:
        """The folder named, or FunnyBirds/ in it. Raises InputError if it does not look like one."""
        root = given_root("funnybirds", root, WANTED)
        place = root if (root / CLASSES_FILE).is_file() else root / NESTED
        if not (place / CLASSES_FILE).is_file():
            raise InputError(f"{root} has no {CLASSES_FILE}; name {WANTED}")
        return cls(place)

    def classes(self) -> list[int]:
        """The class_idx of classes.json, of which there is a folder of images for training or testing, in order."""
        path = self.root / CLASSES_FILE
        listed = [self._class_of(path, i, entry) for i, entry in enumerate(self._list(path))]
        if len(set(listed)) < len(listed):
            again = next(i for i, number in enumerate(listed) if number in listed[:i])
            raise InputError(f"{path} entry {again + 1}: class_idx {listed[again]} a second time; {AGAIN}")
        found = sorted(n for n in listed if any((self.root / split / str(n)).is_dir() for split in COUNTS))
        if not found:
            raise InputError(f"{self.root} has no folder of images, such as train/{listed[0]}/; {AGAIN}")
        return found

    def pictures(self, split: str, classes: list[int]) -> Pictures:
        """The images of a split, of these classes. Raises InputError for files that are wrong or missing."""
        self._check_parts()
        path = self.root / f"dataset_{split}.json"
        entries = self._list(path)
        listed = np.array([self._class_of(path, i, entry) for i, entry in enumerate(entries)], int)
        numbers = np.flatnonzero(np.isin(listed, classes))
        sizes = [self._sizes(split + kind, classes) for kind in ("", "_part_map")]
        paths = [f"{listed[number]}/{number:06d}.png" for number in numbers.tolist()]
        for kind, found in zip(("", "_part_map"), sizes, strict=True):
            if missing := [name for name in paths if name not in found]:
                first = self.root / f"{split}{kind}" / missing[0]
                entry = f"of {len(entries)} in {path.name} (entry {int(missing[0][-10:-4]) + 1})"
                raise InputError(f"{first}{and_others(missing)} {entry} missing; copy {split}{kind}/ again")
            if strange := sorted(set(found) - set(paths)):
                text = f"{len(strange)} files that {path.name} does not list, first {strange[0]}"
                warnings.warn(f"funnybirds: {self.root / (split + kind)} has {text}; they are not used", stacklevel=2)
        if not paths:
            raise InputError(f"{path} lists no image of the classes that are there; {AGAIN}")
        of_each = np.array([[found[name] for found in sizes] for name in paths])
        return Pictures(split, numbers, listed[numbers], of_each)

    def removals(self, pictures: Pictures) -> list[int]:
        """Bytes of the images that lack one part, five for each image; empty where there is no such folder.

        Raises InputError if some are missing, and for a link out of the folder.
        """
        base = self.root / f"{pictures.split}_interventions"
        if not base.is_dir():
            return []
        sizes = []
        for row in range(len(pictures.numbers)):
            for part in PARTS:
                path = self.root / pictures.without(row, part)
                if not path.is_file():
                    raise InputError(f"{path} is missing (image without {part}); copy {pictures.split}_interventions/")
                check_link(path, base)
                sizes.append(path.stat().st_size)
        return sizes

    def _check_parts(self) -> None:
        path = self.root / PARTS_FILE
        found = json_of(path)
        if not isinstance(found, dict) or sorted(found) != list(PARTS):
            names = ", ".join(map(str, sorted(found))) if isinstance(found, dict) else type(found).__name__
            raise InputError(f"{path} is of {names[:80] or 'nothing'}, expected {', '.join(PARTS)}; {AGAIN}")

    def _class_of(self, path: Path, row: int, entry: Any) -> int:
        """The class_idx of an entry of a file."""
        number = entry.get("class_idx") if isinstance(entry, dict) else None
        if type(number) is not int or not 0 <= number < CLASSES:
            found = f"class_idx is {number!r:.40}" if isinstance(entry, dict) else f"{entry!r:.40}"
            raise InputError(f"{path} entry {row + 1}: {found}, expected class_idx from 0 to {CLASSES - 1}; {AGAIN}")
        return number

    def _list(self, path: Path) -> list[Any]:
        found = json_of(path)
        if not isinstance(found, list) or not found:
            raise InputError(f"{path} is {found!r:.40}, expected a list of entries; {AGAIN}")
        return found

    def _sizes(self, folder: str, classes: list[int]) -> dict[str, int]:
        """Bytes of each image by its path below a folder. Raises InputError for a link out of the folder."""
        base, found = (self.root / folder).resolve(), dict[str, int]()
        if not base.is_dir():
            raise InputError(f"no folder {self.root / folder}; copy the whole dataset")
        for number in classes:
            if (base / str(number)).is_dir():
                sizes = sizes_in(base / str(number), base, ".png")
                found |= {f"{number}/{name}": size for name, size in sizes.items()}
        return found
