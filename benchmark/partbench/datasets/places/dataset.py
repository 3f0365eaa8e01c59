"""The dataset `places`: photographs of ten kinds of rooms, with masks of the objects in them.

The ten categories of Places365 (Zhou et al., TPAMI 2017) that the SRAE paper explains (section 4), with the objects of
ADE20K (Zhou et al., CVPR 2017) for its locality. The paper counts every label of ADE20K, hundreds; here the parts are
the 64 most frequent objects.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Int, UInt8
from numpy import ndarray
from torch import Tensor

from partbench import Batch, Dataset, DatasetCard, ImageSet, InputError, Register, hookimpl
from partbench.datasets.data_root import given_root
from partbench.datasets.photograph import CropMemory, as_pixels, crop, decode, nearest, whole_ones
from partbench.datasets.places.challenge_release import COUNTS, ChallengeRelease
from partbench.datasets.places.folders import CHALLENGE, FULL, Release, Source, sources_in
from partbench.datasets.places.objects import most_frequent, parts_of
from partbench.datasets.places.places365 import EASY, Places365
from partbench.datasets.places.rooms import ROOMS, PlacesSplit, RoomPhoto

NO_PART = 255  # label of pixels of no part
WANTED = f"the folder of ADE20K ({', '.join(FULL)} or {CHALLENGE}), of Places365 ({EASY}), or the one that holds both"


@dataclass(frozen=True)
class Found:
    """The photographs of a split, where they come from, and the rooms that are used."""

    photos: list[RoomPhoto]
    source: Source

    @property
    def name(self) -> str:
        """The published name of the source."""
        return "Places365" if isinstance(self.source, Places365) else "ADE20K"


class PlacesSet(ImageSet):
    """Whole photographs of one split, stretched to `size` px.

    Masks are of the objects `parts`, by label; None where the photographs are those of Places365, which has none.
    """

    thread_safe: bool = True

    def __init__(self, found: Found, labels: Sequence[int], parts: dict[str, int], size: int) -> None:
        self.photos, self.size, self.parts = found.photos, size, parts
        self.release: Release | None = None if isinstance(found.source, Places365) else found.source
        self.labels: Int[Tensor, "N"] = torch.tensor(labels, dtype=torch.long)
        self._memory = CropMemory()
        self._shapes: dict[int, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.photos)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Photographs as RGB in [0, 1], with the masks of the objects.

        Raises InputError naming a photograph or annotation that is broken, or an annotation of another size.
        """
        rows = list(indices)
        return Batch(
            ids=tuple(f"places/{self.photos[i].name}" for i in rows),
            pixels=as_pixels([self._memory.get(f"{i}", partial(self._read, i)) for i in rows], self.size),
            labels=self.labels[rows],
            masks=self._masks(rows, self.release) if self.release else None,
        )

    def _read(self, row: int) -> UInt8[ndarray, "size size 3"]:
        photo = decode(self.photos[row].path)
        self._shapes[row] = photo.shape[:2]
        return crop(photo, None, self.size)

    def _masks(self, rows: Sequence[int], release: Release) -> Tensor:
        count, side = max(self.parts.values(), default=-1) + 1, self.size
        found = torch.zeros((len(rows), count, side, side), dtype=torch.bool)
        for masks, row in zip(found, rows, strict=True):
            parts = self._memory.get(f"{row} parts", partial(self._parts, row, release))
            masks[:] = torch.from_numpy(parts) == torch.arange(count)[:, None, None]
        return found

    def _parts(self, row: int, release: Release) -> UInt8[ndarray, "size size"]:
        """The part of each pixel, after the photograph has been read."""
        photo = self.photos[row]
        regions = release.regions(photo)
        if regions.codes.shape != self._shapes[row]:
            height, width = regions.codes.shape
            expected = f"{self._shapes[row][1]} x {self._shapes[row][0]} as {photo.path.name}"
            raise InputError(f"{photo.annotation[0]} is {width} x {height} px, expected {expected}; copy both again")
        codes, places = np.unique(nearest(regions.codes, self.size), return_inverse=True)
        parts = [self.parts.get(regions.labels.get(code, ""), NO_PART) for code in codes.tolist()]
        return np.array(parts, np.uint8)[places].reshape(self.size, self.size)


class Places(Dataset):
    """Photographs of ten kinds of rooms, or of those that the folder holds, with masks of the objects in them.

    For training the photographs of Places365, which have no masks, as in the paper, or where they are not there those
    of ADE20K; for testing the validation split of ADE20K, which has masks, or where it is not there that of Places365.
    The parts are the objects that are the most frequent in ADE20K's training photographs of the rooms, 64 at most; they
    depend on the release. Raises InputError, with file and line, if anything is missing or wrong.
    """

    name: ClassVar[str] = "places"
    version: ClassVar[str] = "1"
    default_performer: ClassVar[str] = "lite0_head"
    needs_root: ClassVar[bool] = True
    classes: tuple[str, ...] = tuple(ROOMS)
    categories: tuple[str, ...] = tuple(ROOMS)
    card: ClassVar[DatasetCard | None] = DatasetCard(
        source="https://ade20k.csail.mit.edu (masks: the full dataset, or ADEChallengeData2016.zip of "
        "http://sceneparsing.csail.mit.edu) and http://places2.csail.mit.edu (places365standard_easyformat.tar)",
        size="ADEChallengeData2016: 0.9 GB; ADE20K of 2021: about 5 GB; Places365: about 21 GB",
        licence="annotations: BSD-3-Clause; photographs for non-commercial research and education",
        citation="Zhou, Lapedriza, Khosla, Oliva, Torralba: Places: A 10 million image database for scene recognition. "
        "TPAMI 2017; Zhou, Zhao, Puig, Fidler, Barriuso, Torralba: Scene parsing through ADE20K dataset. CVPR 2017",
        layout=f"{' or '.join(FULL)} or {CHALLENGE}, {EASY} (or data_256/ and val_256/ with places365_val.txt), or a "
        "folder that holds one of each. With both, Places365 is for training and ADE20K for testing; with ADE20K alone "
        "its own training photographs, which have masks; with Places365 alone there are no masks and no locality",
        train=COUNTS["training"],
        test=COUNTS["validation"],
        categories=len(ROOMS),
    )

    def __init__(self, root: Path | None = None, size: int = 224) -> None:
        super().__init__(root, size)
        sources = sources_in(given_root("places", root, WANTED))
        training, test = _splits(sources, root)
        self.classes = self.categories = _rooms(training, test, root)
        self.card = _card(training, test)  # type: ignore[misc]
        labels = _labels(sources, training)
        parts = parts_of(labels)
        self.part_names = tuple(dict.fromkeys(parts[label] for label in labels))
        places = {label: self.part_names.index(part) for label, part in parts.items()}
        self.train, self.test = self._set(training, places), self._set(test, places)
        self._tell(training, test, root)

    @classmethod
    def categories_in(cls, root: Path | None) -> tuple[str, ...]:
        """The rooms that a folder holds photographs of, for training and for testing."""
        return _rooms(*_splits(sources_in(given_root("places", root, WANTED)), root), root)

    def _set(self, found: Found, parts: dict[str, int]) -> PlacesSet:
        used = [photo for photo in found.photos if photo.room in self.classes]
        whole = whole_ones([photo.path for photo in used], "places")
        photos = [photo for photo, kept in zip(used, whole, strict=True) if kept]
        labels = [self.classes.index(photo.room) for photo in photos]
        images = PlacesSet(replace(found, photos=photos), labels, parts, self.size)
        known = hashlib.sha256(f"places {self.version} {self.size} {self.classes} {sorted(parts.items())}".encode())
        for photo in photos:
            known.update(photo.described())
        images.fingerprint = known.hexdigest()
        return images

    def _tell(self, training: Found, test: Found, root: Path | None) -> None:
        """Warn of what is not the whole of ADE20K."""
        lacking = [room for room in ROOMS if room not in self.classes]
        incomplete = isinstance(training.source, ChallengeRelease) and len(self.train) < COUNTS["training"]
        if lacking or incomplete or training.source is not test.source or not self.part_names:
            counts = (
                f"{len(self.train)} photographs of {training.name} to train, {len(self.test)} of {test.name} to test"
            )
            without = f"; no photographs of {', '.join(lacking)}" if lacking else ""
            masks = "" if self.part_names else "; no masks"
            warnings.warn(f"places: {root} holds {counts}{without}{masks}", stacklevel=3)


def _splits(sources: Sequence[Source], root: Path | None) -> tuple[Found, Found]:
    """Photographs for training and for testing: of the first source that has any, by the order for each."""
    if not sources:
        raise InputError(f"{root} holds neither ADE20K nor Places365; name {WANTED}")
    orders: dict[PlacesSplit, Sequence[Source]] = {"training": sources[::-1], "validation": sources}
    splits = []
    for split, order in orders.items():
        found = next((Found(photos, source) for source in order if (photos := source.photos(split))), None)
        if found is None:
            where = ", ".join(str(source.root) for source in sources)
            raise InputError(f"{where} has no photograph of a room for {split}; copy the {split} split too")
        splits.append(found)
    return splits[0], splits[1]


def _rooms(training: Found, test: Found, root: Path | None) -> tuple[str, ...]:
    """The rooms that both splits have photographs of. Raises InputError if there is none."""
    of_both = {photo.room for photo in training.photos} & {photo.room for photo in test.photos}
    if not of_both:
        raise InputError(f"{root} has no room with photographs for training and for validation; copy both splits")
    return tuple(room for room in ROOMS if room in of_both)


def _labels(sources: Sequence[Source], training: Found) -> list[str]:
    """Labels of the objects that are told apart, most frequent first; none without ADE20K."""
    release = sources[0]
    if isinstance(release, Places365):
        return []
    own = training.photos if training.source is release else release.photos("training")
    return most_frequent(release, own or release.photos("validation"))


def _card(training: Found, test: Found) -> DatasetCard | None:
    """The card with the counts that are published of these sources."""
    card = Places.card
    if card is None:
        return None
    train = COUNTS["training"] if isinstance(training.source, ChallengeRelease) else None
    tested = COUNTS["validation"] if isinstance(test.source, ChallengeRelease) else None
    return replace(card, train=train, test=100 * len(ROOMS) if isinstance(test.source, Places365) else tested)


@hookimpl
def register_datasets(register: Register) -> None:
    register(Places)
