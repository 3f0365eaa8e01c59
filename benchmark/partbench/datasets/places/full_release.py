"""The full releases of ADE20K, of 2016 and 2021, which label thousands of classes of objects."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from partbench import InputError
from partbench.datasets.folder_files import and_others, sizes_in
from partbench.datasets.links import check_link
from partbench.datasets.places.annotation import Regions, decode_codes, labels_of_json, labels_of_text
from partbench.datasets.places.rooms import ROOMS, PlacesSplit, RoomPhoto
from partbench.datasets.text_table import AGAIN

NESTED = "ADE"  # the folder in images/ that the release of 2021 has
LEAST_SHARE = 0.5  # of what is labelled that must fit what the text file says, see `FullRelease.regions`

CODES = 26 * 256  # more than the code of any class


@dataclass(frozen=True)
class FullRelease:
    """The release of 2016 or 2021: a folder for each scene, with three files or more for each photograph.

    In NAME_seg.png red and green code the class and blue the instance. NAME.json (2021) names the classes by their
    code; NAME_atr.txt (2016) the instances, in the order of their values of blue. Objects are labelled, their parts
    are not.
    """

    root: Path

    def photos(self, split: PlacesSplit) -> list[RoomPhoto]:
        """The photographs of rooms. Raises InputError if one lacks its annotation, or two have one name."""
        folder = self._images / split
        photos = [photo for place in self._folders_of_rooms(folder) for photo in self._of_room(place)]
        photos = sorted(photos, key=lambda photo: photo.name)
        for one, other in pairwise(photos):
            if one.name == other.name:
                raise InputError(f"{one.path} and {other.path} have one name; {AGAIN}, into an empty folder")
        return photos

    def labels(self, photo: RoomPhoto) -> set[str]:
        """The labels of all objects of a photograph, by its text file alone. Raises InputError for wrong lines."""
        _, text = photo.annotation
        return set(labels_of_json(text).values() if text.suffix == ".json" else labels_of_text(text).values())

    def regions(self, photo: RoomPhoto) -> Regions:
        """What each pixel shows. Raises InputError for files that are broken or do not fit each other.

        Pixels whose class or instance the text file does not name are of no object; if they are more than half of the
        labelled pixels, or the classes of more than half of the instances have another name, the files do not fit.
        """
        segmentation, text = photo.annotation
        pixels = decode_codes(segmentation, ("RGB",))
        classes = pixels[..., 0].astype(np.int32) // 10 * 256 + pixels[..., 1]
        if text.suffix == ".json":
            codes, labels = classes, labels_of_json(text)
        else:
            codes = pixels[..., 2].astype(np.int32)
            labels = _of_instances(codes, labels_of_text(text))
            self._check_classes(photo, classes, codes, labels)
        counts = np.bincount(codes.ravel())
        named = sum(int(counts[code]) for code in labels if 0 < code < len(counts))
        if named < LEAST_SHARE * counts[1:].sum():
            self._refuse(photo, f"most objects of {segmentation.name} are not in {text.name}")
        return Regions(codes, {code: label for code, label in labels.items() if code > 0})

    def _check_classes(
        self, photo: RoomPhoto, classes: Int[ndarray, "H W"], codes: Int[ndarray, "H W"], labels: Mapping[int, str]
    ) -> None:
        """Raise InputError if instances of one class mostly have several names."""
        of_class: dict[int, list[str]] = {}
        for pair in np.flatnonzero(np.bincount((codes * CODES + classes).ravel())).tolist():
            if pair // CODES in labels:
                of_class.setdefault(pair % CODES, []).append(labels[pair // CODES])
        fitting = sum(max(map(names.count, names)) for names in of_class.values())
        if fitting < LEAST_SHARE * sum(map(len, of_class.values())):
            segmentation, text = photo.annotation
            self._refuse(photo, f"{text.name} names most objects of {segmentation.name} otherwise")

    def _refuse(self, photo: RoomPhoto, what: str) -> None:
        raise InputError(f"{photo.path.parent}: {what}; copy both again")

    @property
    def _images(self) -> Path:
        nested = self.root / "images" / NESTED
        return nested if nested.is_dir() else self.root / "images"

    def _folders_of_rooms(self, folder: Path) -> list[Path]:
        """The folders below this one that have the name of a room, however deep."""
        found = []
        for place, folders, _ in os.walk(folder):
            found += [Path(place) / name for name in folders if name in ROOMS]
            folders[:] = [name for name in folders if name not in ROOMS and not name.startswith("ADE_")]
            for link in (path for path in map(Path(place).joinpath, folders) if path.is_symlink()):
                check_link(link, self.root)
        return sorted(found)

    def _of_room(self, folder: Path) -> list[RoomPhoto]:
        sizes = sizes_in(folder, self.root, "")
        ending = ".json" if self._images.name == NESTED else "_atr.txt"
        stems = [name.removesuffix(".jpg") for name in sizes if name.endswith(".jpg")]
        photos, lacking = [], []
        for stem in stems:
            text = next((f"{stem}{end}" for end in (".json", "_atr.txt") if f"{stem}{end}" in sizes), f"{stem}{ending}")
            files = (f"{stem}.jpg", f"{stem}_seg.png", text)
            lacking += [name for name in files if name not in sizes]
            paths = tuple(folder / name for name in files[1:])
            of_files = tuple(sizes.get(name, 0) for name in files)
            photos.append(RoomPhoto(stem, folder.name, folder / files[0], paths, of_files))
        if lacking:
            raise InputError(f"{folder / lacking[0]}{and_others(lacking)} missing, of {len(stems)} in all; {AGAIN}")
        alone = sorted({name.removesuffix("_seg.png") for name in sizes if name.endswith("_seg.png")} - set(stems))
        if alone:
            text = f"{len(alone)} annotations without a photograph, first {alone[0]}"
            warnings.warn(f"places: {folder} has {text}; they are not used", stacklevel=2)
        return photos


def _of_instances(blue: Int[ndarray, "H W"], labels: Mapping[int, str]) -> dict[int, str]:
    """The label of each level of blue: the first above 0 is instance 1."""
    levels = [level for level in np.flatnonzero(np.bincount(blue.ravel())).tolist() if level]
    return {level: labels[i] for i, level in enumerate(levels, 1) if i in labels}
