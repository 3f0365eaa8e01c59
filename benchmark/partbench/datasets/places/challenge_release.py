"""ADEChallengeData2016: ADE20K as made for a challenge in scene parsing, with the 150 most frequent classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from partbench import InputError
from partbench.datasets.folder_files import and_others, sizes_in
from partbench.datasets.places.annotation import MOST_SHOWN, Regions, decode_codes
from partbench.datasets.places.rooms import ROOMS, PlacesSplit, RoomPhoto
from partbench.datasets.text_table import AGAIN, text_of

OBJECTS_FILE, SCENES_FILE = "objectInfo150.txt", "sceneCategories.txt"
CLASSES = 150
PREFIXES: dict[PlacesSplit, str] = {"training": "ADE_train_", "validation": "ADE_val_"}
COUNTS: dict[PlacesSplit, int] = {"training": 4481, "validation": 450}  # photographs of the ten rooms


@dataclass(frozen=True)
class ChallengeRelease:
    """ADEChallengeData2016: all photographs of a split in one folder, and a grey level for each of 150 classes."""

    root: Path

    def photos(self, split: PlacesSplit) -> list[RoomPhoto]:
        """The photographs of rooms that are there. Raises InputError if one lacks its annotation."""
        folders = [self.root / kind / split for kind in ("images", "annotations")]
        if not folders[0].is_dir():
            return []
        if not folders[1].is_dir():
            raise InputError(f"no folder {folders[1]}; copy the whole dataset")
        images, codes = folders
        image_sizes, code_sizes = sizes_in(images, self.root, ".jpg"), sizes_in(codes, self.root, ".png")
        photos, lacking = [], []
        for name, room in self._rooms.items():
            if not name.startswith(PREFIXES[split]) or f"{name}.jpg" not in image_sizes:
                continue
            if f"{name}.png" not in code_sizes:
                lacking.append(f"{name}.png")
            sizes = (image_sizes[f"{name}.jpg"], code_sizes.get(f"{name}.png", 0))
            photos.append(RoomPhoto(name, room, images / f"{name}.jpg", (codes / f"{name}.png",), sizes))
        if lacking:
            raise InputError(f"{codes / lacking[0]}{and_others(lacking)} missing, of {len(photos)} in all; {AGAIN}")
        return photos

    def labels(self, photo: RoomPhoto) -> set[str]:
        """The labels of all objects of a photograph."""
        regions = self.regions(photo)
        shown = np.flatnonzero(np.bincount(regions.codes.ravel()))
        return {regions.labels[code] for code in shown.tolist() if code}

    def regions(self, photo: RoomPhoto) -> Regions:
        """What each pixel shows. Raises InputError for an annotation that is broken."""
        (path,) = photo.annotation
        codes = decode_codes(path, ("L", "P")).astype(np.int32)
        if codes.max(initial=0) > CLASSES:
            raise InputError(f"{path} has the grey level {codes.max()}, expected 0 to {CLASSES}; {AGAIN}")
        return Regions(codes, self._classes)

    @cached_property
    def _classes(self) -> dict[int, str]:
        """The label of each grey level, by objectInfo150.txt."""
        path, labels = self.root / OBJECTS_FILE, dict[int, str]()
        for i, line in enumerate(text_of(path, base=self.root).split("\n")[1:], 2):
            cells = [cell.strip() for cell in line.split("\t")]
            if len(cells) != 5 or cells[0] != str(len(labels) + 1) or not cells[-1]:
                expected = f"{len(labels) + 1}, three numbers and a name, with tabs between"
                raise InputError(f"{path} line {i}: {line[:MOST_SHOWN]!r}, expected {expected}; {AGAIN}")
            labels[int(cells[0])] = cells[-1]
        if len(labels) != CLASSES:
            raise InputError(f"{path} has {len(labels)} classes, expected {CLASSES}; {AGAIN}")
        return labels

    @cached_property
    def _rooms(self) -> dict[str, str]:
        """The room of each photograph of one, by sceneCategories.txt."""
        path, rooms = self.root / SCENES_FILE, dict[str, str]()
        for i, line in enumerate(text_of(path, base=self.root).split("\n"), 1):
            name, _, scene = line.strip().partition(" ")
            if not re.fullmatch(r"ADE_(train|val)_\d{8}", name, re.ASCII) or not re.fullmatch(r"\S+", scene):
                expected = "a photograph and its scene, such as ADE_train_00000001 bedroom"
                raise InputError(f"{path} line {i}: {line[:MOST_SHOWN]!r}, expected {expected}; {AGAIN}")
            if name in rooms and rooms[name] != scene:
                raise InputError(f"{path} line {i}: {name} a second time; {AGAIN}")
            rooms[name] = scene
        return {name: room for name, room in rooms.items() if room in ROOMS}
