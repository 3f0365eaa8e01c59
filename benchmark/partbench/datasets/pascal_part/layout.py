"""The folders of Pascal-Part and VOC 2010 as published: annotations, photographs and the lists of the split."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from partbench import InputError
from partbench.datasets.data_root import given_root
from partbench.datasets.folder_files import and_others, files_in
from partbench.datasets.links import check_link
from partbench.datasets.pascal_part.objects import Animals, read_animals
from partbench.datasets.pascal_part.parts import CATEGORIES
from partbench.datasets.photograph import whole_ones
from partbench.datasets.text_table import AGAIN, text_of

ANNOTATIONS, PHOTOS, LISTS = "Annotations_Part", "JPEGImages", "ImageSets/Main"
ANNOTATION_PLACES = ("", "trainval")  # folders that may hold Annotations_Part/
PHOTO_PLACES = ("VOCdevkit/VOC2010", "VOC2010", "")  # folders that may hold JPEGImages/
SPLITS = ("train", "val")
NAME = r"\d{4}_\d{6}"
ANNOTATED = 10_103  # photographs, as published
WANTED = f"the folder that holds {ANNOTATIONS}/ (*.mat) and VOCdevkit/VOC2010/{PHOTOS}/"


@dataclass(frozen=True)
class PascalPartFolder:
    """The folder of annotations and the folder VOC2010."""

    annotations: Path
    voc: Path

    @classmethod
    def of(cls, root: Path | None) -> PascalPartFolder:
        """The folders in the one that is named. Raises InputError if it does not look like one."""
        root = given_root("pascal_part", root, WANTED)
        found = []
        for what, places in ((ANNOTATIONS, ANNOTATION_PLACES), (PHOTOS, PHOTO_PLACES)):
            there = [root / place for place in places if (root / place / what).is_dir()]
            if not there:
                tried = ", ".join(str(Path(place, what)) for place in places)
                raise InputError(f"{root} has no folder {what}/ (looked for {tried}); name {WANTED}")
            found.append(there[0])
        return cls(found[0] / ANNOTATIONS, found[1])

    def animals(self) -> Animals:
        """The animals of all annotations. Raises InputError for whatever is wrong or missing."""
        files = sorted(Path(entry.path) for entry in files_in(self.annotations, self.annotations, ("",)))
        known = {path.stem: path for path in files if re.fullmatch(rf"{NAME}\.mat", path.name, re.ASCII)}
        if not known:
            raise InputError(f"{self.annotations} has no annotations, such as 2008_000008.mat; copy it again")
        if len(known) < len(files):
            first = next(path.name for path in files if known.get(path.stem) != path)
            text = f"{len(files) - len(known)} files that are no annotations, first {first}; they are not used"
            warnings.warn(f"pascal_part: {self.annotations} has {text}", stacklevel=2)
        if len(known) < ANNOTATED:
            count = f"{len(known):,} of {ANNOTATED:,} annotations"
            warnings.warn(f"pascal_part: {self.annotations} holds {count}", stacklevel=2)
        return read_animals(known)

    def photograph(self, name: str) -> Path:
        """The file of a photograph."""
        return self.voc / PHOTOS / f"{name}.jpg"

    def sizes(self, names: Sequence[str]) -> list[int]:
        """Bytes of photographs. Raises InputError for one that is missing, and for a link out of the folder."""
        check_link(self.voc / PHOTOS, self.voc)
        missing = [name for name in names if not self.photograph(name).is_file()]
        for name in names:
            if self.photograph(name).is_symlink():
                check_link(self.photograph(name), self.voc)
        if missing:
            where = f"{self.photograph(missing[0])}{and_others(missing)} of {len(names)} in {self.annotations}"
            raise InputError(f"{where} missing; copy VOC 2010's {PHOTOS}/ again")
        return [os.stat(self.photograph(name)).st_size for name in names]

    def readable(self, animals: Animals) -> Animals:
        """Those whose photograph is not truncated; warns of the others. Raises InputError if they are over 1 %."""
        names = list(dict.fromkeys(animals.photographs))
        whole = dict(zip(names, whole_ones([self.photograph(name) for name in names], "pascal_part"), strict=True))
        return animals.at([row for row, name in enumerate(animals.photographs) if whole[name]])

    def training(self, animals: Animals) -> Bool[ndarray, "n"]:
        """Which animals are for training: those of VOC's list train.txt, where there is one; val.txt is for testing.

        Without lists, photographs are sorted by their first animal and dealt out in turn; a warning says so.
        """
        lists = [self.voc / LISTS / f"{split}.txt" for split in SPLITS]
        if not any(path.is_file() for path in lists):
            text = f"every second photograph of a category is for testing, as {self.voc / LISTS} has no train.txt"
            warnings.warn(f"pascal_part: {text}", stacklevel=2)
            return alternating(animals.photographs, animals.kinds)
        train, val = (_names(path, self.voc) for path in lists)
        for name in animals.photographs:
            if (name in train) == (name in val):
                where = "both lists" if name in train else "neither list"
                raise InputError(f"{name} is in {where} of {lists[0]} and {lists[1].name}; {AGAIN}")
        return np.array([name in train for name in animals.photographs], bool)


def alternating(photographs: Sequence[str], kinds: Int[ndarray, "n"]) -> Bool[ndarray, "n"]:
    """Which animals are for training: of photographs, grouped by their first animal, every second one from the first.

    All animals of a photograph are on one side.
    """
    first: dict[str, int] = {}
    for name, kind in zip(photographs, kinds.tolist(), strict=True):
        first.setdefault(name, kind)
    groups = [sorted(name for name in first if first[name] == kind) for kind in range(len(CATEGORIES))]
    train = {name for group in groups for name in group[0::2]}
    return np.array([name in train for name in photographs], bool)


def _names(path: Path, base: Path) -> set[str]:
    """The names of a list. Raises InputError, with the line, for what is none, and for a link out of `base`."""
    names = [line.strip() for line in text_of(path, base=base).split("\n")]
    for line, name in enumerate(names, 1):
        if not re.fullmatch(NAME, name, re.ASCII):
            raise InputError(f"{path} line {line}: {name[:60]!r}, expected a name such as 2008_000008; {AGAIN}")
    return set(names)
