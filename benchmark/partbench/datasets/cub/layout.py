"""The files of CUB-200-2011 as published: what they say of each photograph, and which photographs are there."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from partbench import InputError
from partbench.datasets.cub.species import SPECIES
from partbench.datasets.data_root import given_root
from partbench.datasets.folder_files import and_others, sizes_in
from partbench.datasets.photograph import whole_ones
from partbench.datasets.text_table import AGAIN, NumberTable, named_rows, text_of

NESTED = "CUB_200_2011"  # the folder that the archive unpacks to
PHOTOS, SEGMENTATIONS = "images", "segmentations"
CLASSES_FILE, IMAGES_FILE, LABELS_FILE = "classes.txt", "images.txt", "image_class_labels.txt"
SPLIT_FILE, BOXES_FILE = "train_test_split.txt", "bounding_boxes.txt"
PARTS_FILE, PLACES_FILE = "parts/parts.txt", "parts/part_locs.txt"
LANDMARKS = (
    "back", "beak", "belly", "breast", "crown", "forehead", "left_eye", "left_leg", "left_wing", "nape", "right_eye",
    "right_leg", "right_wing", "tail", "throat",
)  # fmt: skip
CATEGORIES = tuple(name.lower() for name in SPECIES)
PHOTOGRAPHS = 11_788
MOST = 10**9
WANTED = f"the folder {NESTED}/ that holds {IMAGES_FILE}, {CLASSES_FILE}, {PHOTOS}/, parts/"


@dataclass(frozen=True)
class Birds:
    """What the text files say of n photographs, and where each said it.

    `names` are paths below images/; `species` count from 1; boxes are x y width height and landmarks x y, as published,
    in px; landmarks are NaN where invisible. `box_rows` are rows of bounding_boxes.txt, `place_rows` of part_locs.txt,
    counted from 0.
    """

    names: list[str]
    species: Int[ndarray, "n"]
    training: Bool[ndarray, "n"]
    boxes: Float[ndarray, "n 4"]
    landmarks: Float[ndarray, "n 15 2"]
    box_rows: Int[ndarray, "n"]
    place_rows: Int[ndarray, "n 15"]

    def __len__(self) -> int:
        return len(self.names)

    def at(self, rows: Int[ndarray, "m"]) -> Birds:
        """Those of these rows."""
        names = [self.names[i] for i in rows]
        arrays = (self.species, self.training, self.boxes, self.landmarks, self.box_rows, self.place_rows)
        return Birds(names, *(array[rows] for array in arrays))

    def described(self, row: int) -> bytes:
        """All that the text files say of a photograph, for fingerprints."""
        known = self.boxes[row].tobytes() + self.landmarks[row].tobytes()
        return f"{self.names[row]} {self.species[row]}".encode() + known


@dataclass(frozen=True)
class CubFolder:
    """The folder in the official layout."""

    root: Path

    @classmethod
    def of(cls, root: Path | None) -> CubFolder:
        """The folder named, or CUB_200_2011/ in it. Raises InputError if it does not look like one."""
        root = given_root("cub", root, WANTED)
        place = root if (root / IMAGES_FILE).is_file() else root / NESTED
        for name in (IMAGES_FILE, CLASSES_FILE):
            if not (place / name).is_file():
                raise InputError(f"{root} has no {name}; name {WANTED}")
        if not (place / PHOTOS).is_dir():
            raise InputError(f"no folder {place / PHOTOS}; copy the whole dataset")
        return cls(place)

    def species(self) -> list[int]:
        """Numbers, from 1, of the species that classes.txt lists and images/ has a folder of, in order."""
        path = self.root / CLASSES_FILE
        numbers, names = named_rows(path, text_of(path))
        for line, (number, name) in enumerate(zip(numbers.tolist(), names, strict=True), 1):
            expected = f"{number:03d}.{SPECIES[number - 1]}" if 1 <= number <= len(SPECIES) else "1 to 200"
            if name != expected:
                raise InputError(f"{path} line {line}: class {number} is {name!r}, expected {expected}; {AGAIN}")
        found = [n for n in range(1, len(SPECIES) + 1) if (self.root / PHOTOS / folder_of(n)).is_dir()]
        if unlisted := set(found).difference(numbers.tolist()):
            folder = folder_of(min(unlisted))
            raise InputError(f"{path} has no line for {folder}, a folder of {PHOTOS}/; {AGAIN}")
        if not found:
            raise InputError(f"{self.root / PHOTOS} has no folder of a species, such as {names[0]}/; copy it again")
        return found

    def segmentations(self) -> Path:
        """The folder of masks of the birds, in this folder or beside it. Raises InputError if there is none."""
        for place in (self.root / SEGMENTATIONS, self.root.parent / SEGMENTATIONS):
            if place.is_dir():
                return place
        raise InputError(f"no folder {self.root / SEGMENTATIONS}; unpack {SEGMENTATIONS}.tgz there")

    def birds(self) -> tuple[Birds, list[int]]:
        """What the files say of the photographs of the species that are there, and bytes of each photograph.

        Truncated photographs are left out, with a warning; so are species without a folder. Raises InputError, with
        file and line, for whatever else is missing or wrong.
        """
        present, birds = self.species(), self._annotations()
        birds = birds.at(np.flatnonzero(np.isin(birds.species, present)))
        sizes = self._sizes(birds.names, [folder_of(number) for number in present])
        kept = np.flatnonzero(whole_ones([self.root / PHOTOS / name for name in birds.names], "cub"))
        there = len(set(birds.species[kept].tolist()))
        if len(kept) < PHOTOGRAPHS:
            counts = f"{len(kept)} of {PHOTOGRAPHS:,} photographs, of {there} of {len(SPECIES)} species"
            warnings.warn(f"cub: {self.root} holds {counts}", stacklevel=2)
        return birds.at(kept), [sizes[birds.names[i]] for i in kept]

    def _annotations(self) -> Birds:
        ids, names = self._images()
        labels = self._table(LABELS_FILE, ("image", "class"))
        rows = self._rows(labels, ids)
        species = labels.whole("class", 1, len(SPECIES))[rows]
        for i in np.flatnonzero(species != [int(name[:3]) for name in names])[:1]:
            where = f"{IMAGES_FILE} has {names[i]}"
            raise labels.wrong(int(rows[i]), f"class is {species[i]}, but {where} for image {ids[i]}")
        split = self._table(SPLIT_FILE, ("image", "is_training"))
        training = split.whole("is_training", 0, 1)[self._rows(split, ids)] == 1
        boxes = self._table(BOXES_FILE, ("image", "x", "y", "width", "height"))
        for column in ("width", "height"):
            boxes.expect(boxes[column] > 0, column, "more than 0")
        box_rows = self._rows(boxes, ids)
        landmarks, place_rows = self._landmarks(ids)
        return Birds(names, species, training, boxes.values[box_rows, 1:], landmarks, box_rows, place_rows)

    def _images(self) -> tuple[Int[ndarray, "n"], list[str]]:
        """Ids and paths of the photographs. A path names the folder of a species and a file in it, and nothing else."""
        path = self.root / IMAGES_FILE
        ids, names = named_rows(path, text_of(path))
        folders = {folder_of(number + 1) for number in range(len(SPECIES))}
        for i, name in enumerate(names):
            folder, _, file = name.partition("/")
            if folder not in folders or not re.fullmatch(r"[\w.-]+\.jpg", file, re.ASCII):
                expected = f"a path such as {folder_of(1)}/NAME.jpg"
                raise InputError(f"{path} line {i + 1}: {name[:80]!r}, expected {expected}; {AGAIN}")
        return ids, names

    def _landmarks(self, ids: Int[ndarray, "n"]) -> tuple[Float[ndarray, "n 15 2"], Int[ndarray, "n 15"]]:
        """Places of the landmarks, NaN where invisible, and their rows in the file."""
        path = self.root / PARTS_FILE
        numbers, names = named_rows(path, text_of(path))
        known = dict(enumerate((name.replace("_", " ") for name in LANDMARKS), 1))
        for line, pair in enumerate(zip(numbers.tolist(), names, strict=True), 1):
            if known.get(pair[0]) != pair[1]:
                expected = known.get(pair[0], f"1 to {len(LANDMARKS)}")
                raise InputError(f"{path} line {line}: part {pair[0]} is {pair[1]!r}, expected {expected}; {AGAIN}")
        table = self._table(PLACES_FILE, ("image", "part", "x", "y", "visible"))
        parts, images = table.whole("part", 1, len(LANDMARKS)), table.whole("image", 0, MOST)
        visible = table.whole("visible", 0, 1) == 1
        keys = images * len(LANDMARKS) + parts - 1
        wanted = ids[:, None] * len(LANDMARKS) + np.arange(len(LANDMARKS))
        rows = table.rows_of(wanted.ravel(), keys, _image_and_part, IMAGES_FILE).reshape(wanted.shape)
        places: Float[ndarray, "m 2"] = np.where(visible[:, None], table.values[:, 2:4], np.nan)
        return places[rows], rows

    def _rows(self, table: NumberTable, ids: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
        """The row of each image of a table."""
        return table.rows_of(ids, table.whole("image", 0, MOST), lambda image: f"image {image}", IMAGES_FILE)

    def _table(self, name: str, columns: Sequence[str]) -> NumberTable:
        path = self.root / name
        return NumberTable.read(path, text_of(path), columns)

    def _sizes(self, names: Sequence[str], folders: Sequence[str]) -> dict[str, int]:
        """Bytes of each photograph. Raises InputError for one that is missing, and for a link out of the folder."""
        found: dict[str, int] = {}
        base = (self.root / PHOTOS).resolve()
        for folder in folders:
            sizes = sizes_in(base / folder, base, ".jpg")
            found |= {f"{folder}/{name}": size for name, size in sizes.items()}
        missing = [name for name in names if name not in found]
        if missing:
            path = self.root / PHOTOS / missing[0]
            raise InputError(
                f"{path}{and_others(missing)} of {len(names)} in {IMAGES_FILE} missing; copy {PHOTOS}/ again"
            )
        if unlisted := sorted(set(found) - set(names)):
            text = f"{len(unlisted)} files that {IMAGES_FILE} does not list, first {unlisted[0]}"
            warnings.warn(f"cub: {self.root / PHOTOS} has {text}; they are not used", stacklevel=2)
        return found


def folder_of(number: int) -> str:
    """The folder of a species, as in 001.Black_footed_Albatross."""
    return f"{number:03d}.{SPECIES[number - 1]}"


def _image_and_part(key: int) -> str:
    return f"image {key // len(LANDMARKS)}, part {key % len(LANDMARKS) + 1}"
