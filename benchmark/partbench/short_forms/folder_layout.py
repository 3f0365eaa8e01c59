"""The files of a dataset in a folder: images in sub-folders by class, masks and boxes of parts."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partbench.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
SPLITS = ("train", "test")
MASKS, BOXES = "masks", ("boxes.csv", "boxes.json")
COLUMNS = ("image", "part", "x0", "y0", "x1", "y1")
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """An image file: its path within the folder, and the name of its class."""

    name: str
    category: str


@dataclass
class ImageFolder:
    """What a folder holds, found without opening an image.

    `pictures` by split. `boxes` by image and part, in px of the file, the box of the object under "". `masks`: the
    files of masks by image and part; a palette, with all parts in one file, under "".
    """

    root: Path
    pictures: dict[str, list[Picture]]
    boxes: Mapping[str, Mapping[str, Box]] = field(default_factory=dict)
    masks: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)

    def parts(self) -> list[str]:
        """Names of all parts that have a box or a mask of their own, sorted."""
        return sorted({part for of in (*self.boxes.values(), *self.masks.values()) for part in of} - {""})

    def fingerprint(self, split: str) -> str:
        """A hash of names and sizes of the images of a split, and of the contents of their annotations."""
        found = hashlib.sha256()
        for picture in self.pictures[split]:
            size = (self.root / picture.name).stat().st_size
            found.update(f"{picture} {size} {sorted(self.boxes.get(picture.name, {}).items())}".encode())
            for part, path in sorted(self.masks.get(picture.name, {}).items()):
                found.update(part.encode() + hashlib.sha256(path.read_bytes()).digest())
        return found.hexdigest()


def classes_in(root: Path) -> tuple[str, ...]:
    """The classes that a folder has sub-folders of, sorted. Raises InputError if there is none."""
    folders = [root / split for split in SPLITS] if _is_split(root) else [root]
    found = {path.name for folder in folders for path in folder.iterdir() if path.is_dir()} if root.is_dir() else set()
    found = {name for name in found if name != MASKS and not name.startswith(".")}
    if not found:
        raise InputError(f"{root} holds no sub-folder of images, expected one for each class")
    return tuple(sorted(found))


def read_folder(root: Path, classes: Sequence[str]) -> ImageFolder:
    """The layout of a folder. Raises InputError naming what is missing or wrong."""
    pictures = {split: _pictures(root, split, classes) for split in SPLITS}
    names = {picture.name for split in SPLITS for picture in pictures[split]}
    return ImageFolder(root, pictures, _boxes(root, names), _masks(root, names))


def _is_split(root: Path) -> bool:
    return all((root / split).is_dir() for split in SPLITS)


def _pictures(root: Path, split: str, classes: Sequence[str]) -> list[Picture]:
    """The images of a split: those in a folder of its name, or every second one of each class."""
    found = []
    for category in classes:
        folder = (root / split if _is_split(root) else root) / category
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        if not _is_split(root):
            files = files[SPLITS.index(split) :: 2]
        if not files:
            raise InputError(f"{folder} holds no {split} images ({', '.join(SUFFIXES)}), expected some of '{category}'")
        found += [Picture(path.relative_to(root).as_posix(), category) for path in files]
    return found


def _boxes(root: Path, names: set[str]) -> dict[str, dict[str, Box]]:
    found: dict[str, dict[str, Box]] = defaultdict(dict)
    for path in (root / name for name in BOXES):
        for place, row in enumerate(_rows(path), 2 if path.suffix == ".csv" else 1) if path.is_file() else ():
            box = _box(row, f"{path}, {'line' if path.suffix == '.csv' else 'entry'} {place}")
            if row["image"] not in names:
                raise InputError(
                    f"{path}: no image {row['image']!r:.200} in {root}; expected a path such as {min(names)}"
                )
            found[row["image"]][str(row["part"] or "")] = box
    return found


def _rows(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines())) if path.suffix == ".csv" else json.loads(text)
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) and {*COLUMNS} <= row.keys() for row in rows):
        raise InputError(f"{path}: expected rows with {', '.join(COLUMNS)}")
    return rows


def _box(row: Mapping[str, Any], where: str) -> Box:
    try:
        x0, y0, x1, y1 = (float(row[name]) for name in COLUMNS[2:])
    except (TypeError, ValueError):
        x0 = y0 = x1 = y1 = math.nan
    if not (math.isfinite(x0 + y0 + x1 + y1) and x0 < x1 and y0 < y1):
        found = ", ".join(f"{name} {row[name]!r:.20}" for name in COLUMNS[2:])
        raise InputError(f"{where}: {found}; expected numbers with x0 < x1 and y0 < y1, in px")
    return x0, y0, x1, y1


def _masks(root: Path, names: set[str]) -> dict[str, dict[str, Path]]:
    """Mask files: `masks/<image>.png`, a palette, or `masks/<image>/<part>.png`, without the suffix of the image."""
    found: dict[str, dict[str, Path]] = {}
    for name in names if (root / MASKS).is_dir() else ():
        stem = (root / MASKS / name).with_suffix("")
        files = {path.stem: path for path in sorted(stem.glob("*.png"))}
        palette = stem.with_name(f"{stem.name}.png")
        if palette.is_file():
            files[""] = palette
        if files:
            found[name] = files
    return found
