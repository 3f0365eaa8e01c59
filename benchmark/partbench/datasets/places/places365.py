"""Places365: photographs of rooms without masks, in the layouts of its archives and of torchvision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from partbench import InputError
from partbench.datasets.folder_files import sizes_in
from partbench.datasets.places.rooms import ROOMS, PlacesSplit, RoomPhoto
from partbench.datasets.text_table import AGAIN, text_of

EASY = "places365_standard"  # the folder that places365standard_easyformat.tar unpacks to
TRAINING = ("data_256", "data_256_standard", "data_large", "data_large_standard")  # the small photographs first
VALIDATION = ("val_256", "val_large")
VALIDATION_FILE = "places365_val.txt"
CATEGORIES = 365


@dataclass(frozen=True)
class Places365:
    """A folder with a folder for each category in train/ and val/, or with folders and lists as published."""

    root: Path

    @classmethod
    def of(cls, root: Path) -> Places365 | None:
        """Places365 in a folder, or in places365_standard/ there; None if it is in neither."""
        for place in (root, root / EASY):
            easy = any((place / split / room).is_dir() for split in ("train", "val") for room in ROOMS)
            if easy or any((place / name).is_dir() for name in (*TRAINING, *VALIDATION)):
                return cls(place)
        return None

    def photos(self, split: PlacesSplit) -> list[RoomPhoto]:
        """The photographs of rooms that are there. Raises InputError with file and line for a list that is wrong."""
        if split == "training":
            places = [self._training / room[0] / room for room in ROOMS] if self._training else []
            return self._in_folders(places) or self._in_folders([self.root / "train" / room for room in ROOMS])
        found = self._in_folders([self.root / "val" / room for room in ROOMS])
        return found or self._listed()

    def _in_folders(self, folders: list[Path]) -> list[RoomPhoto]:
        """The photographs of folders that are named after rooms."""
        found = []
        for folder in folders:
            if folder.is_dir():
                sizes = sizes_in(folder, self.root, ".jpg")
                place = folder.relative_to(self.root).as_posix()
                for name in sorted(sizes):
                    stem = f"{place}/{name.removesuffix('.jpg')}"
                    found.append(RoomPhoto(stem, folder.name, folder / name, (), (sizes[name],)))
        return found

    def _listed(self) -> list[RoomPhoto]:
        """The photographs that places365_val.txt gives the number of a room."""
        folder = next((self.root / name for name in VALIDATION if (self.root / name).is_dir()), None)
        if folder is None:
            return []
        path, found = self.root / VALIDATION_FILE, []
        sizes, rooms = sizes_in(folder, self.root, ".jpg"), {number: room for room, number in ROOMS.items()}
        listed: set[str] = set()
        for i, line in enumerate(text_of(path, base=self.root).split("\n"), 1):
            match = re.fullmatch(r"(Places365_val_\d{8})\.jpg (\d{1,3})", line.strip(), re.ASCII)
            if not match or int(match[2]) >= CATEGORIES:
                expected = "a photograph and its category, such as Places365_val_00000001.jpg 165"
                raise InputError(f"{path} line {i}: {line[:60]!r}, expected {expected}; {AGAIN}")
            file, room = f"{match[1]}.jpg", rooms.get(int(match[2]))
            if file in listed:
                raise InputError(f"{path} line {i}: {file} a second time; {AGAIN}")
            listed.add(file)
            if room and file in sizes:
                found.append(RoomPhoto(f"{folder.name}/{match[1]}", room, folder / file, (), (sizes[file],)))
        return found

    @property
    def _training(self) -> Path | None:
        return next((self.root / name for name in TRAINING if (self.root / name).is_dir()), None)
