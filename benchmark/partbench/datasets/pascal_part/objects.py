"""The animals that the .mat files of Pascal-Part describe: read by another process, once, and then from the cache."""

from __future__ import annotations

import hashlib
import warnings
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from partbench import CacheItem, InputError
from partbench.datasets.matlab.process import MatFile, MatlabProcess
from partbench.datasets.pascal_part.parts import CATEGORIES, LANDMARKS, OTHER_CLASSES, PARTS, merged
from partbench.datasets.photograph import Edges, nearest

READING = "2"  # changes when the same files are read otherwise
LEAST_AREA = 50**2  # px of the box: smaller animals are no images
ANNO, OBJECTS = "anno", "objects"
FIELDS = ("photographs", "numbers", "kinds", "shapes", "boxes", "landmarks")  # of the arrays in the cache


@dataclass(frozen=True)
class Animals:
    """n animals that are large enough, in the order of files and of objects in them.

    `photographs` are names without suffix, `numbers` count the objects of a file from 1, `kinds` are indices into
    CATEGORIES; `shapes` are height and width of the photograph, boxes x0 y0 x1 y1 the edges of the silhouette, both in
    px; landmarks are x y in px of the photograph, NaN where absent; `parts` are the part masks within the box, a bit
    for each of PARTS, deflated. `remark` says what in the files was not used, "" if all was.
    """

    photographs: list[str]
    numbers: Int[ndarray, "n"]
    kinds: Int[ndarray, "n"]
    shapes: Int[ndarray, "n 2"]
    boxes: Int[ndarray, "n 4"]
    landmarks: Float[ndarray, "n l 2"]
    parts: list[bytes]
    remark: str = ""

    def __len__(self) -> int:
        return len(self.photographs)

    def at(self, rows: Sequence[int]) -> Animals:
        """Those of these rows."""
        chosen = np.array(rows, int)
        names, parts = [self.photographs[i] for i in rows], [self.parts[i] for i in rows]
        numbers, kinds, shapes = self.numbers[chosen], self.kinds[chosen], self.shapes[chosen]
        return Animals(names, numbers, kinds, shapes, self.boxes[chosen], self.landmarks[chosen], parts)

    def described(self, row: int) -> bytes:
        """All that is known of an animal, for fingerprints."""
        known = f"{self.photographs[row]} {self.numbers[row]} {self.kinds[row]} {self.shapes[row].tolist()} "
        edges = self.boxes[row].astype("<i8").tobytes() + self.landmarks[row].astype("<f8").tobytes()
        return known.encode() + edges + zlib.decompress(self.parts[row])

    def masks(self, row: int, size: int) -> Bool[ndarray, "p size size"]:
        """The part masks in the crop to the box, at the pixels nearest to those of an image of `size` px."""
        left, top, right, bottom = self.boxes[row].tolist()
        bits = np.frombuffer(zlib.decompress(self.parts[row]), np.uint8).reshape(bottom - top, right - left)
        return (nearest(bits, size) >> np.arange(len(PARTS))[:, None, None] & 1).astype(bool)


def read_animals(files: Mapping[str, Path]) -> Animals:
    """The animals of .mat files by the name of their photograph.

    They are read once: the cache holds what was found in files of this content. Raises InputError naming the file that
    is broken; warns of parts that are not used: that the animal should not have, has twice, or has outside of it.
    """
    contents = {name: path.read_bytes() for name, path in files.items()}
    known = hashlib.sha256(f"pascal_part {READING} {LEAST_AREA}".encode())
    for name, content in contents.items():
        known.update(f"{name} {len(content)} ".encode() + hashlib.sha256(content).digest())
    item = CacheItem("pascal_part", known.hexdigest()[:24], ".npz")

    def make() -> Path:
        arrays = _arrays(*_read(files, contents))
        return item.write(lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]

    animals = item.once(_loaded, make)
    if animals.remark:
        warnings.warn(f"pascal_part: {animals.remark}; they are not used", stacklevel=2)
    return animals


def _read(files: Mapping[str, Path], contents: Mapping[str, bytes]) -> tuple[list[Animal], str]:
    """The animals of all files, and what in them is not used."""
    strange: Counter[str] = Counter()
    with MatlabProcess() as process:
        found = [
            animal
            for name, path in files.items()
            for animal in _animals_of(name, MatFile(path, contents[name], process), strange)
        ]
    remark = f"{strange.total()} parts that the animal should not have, has twice, or has outside of it, first "
    return found, f"{remark}{next(iter(strange))}" if strange else ""


@dataclass(frozen=True)
class Animal:
    """One object of a file, see `Animals`."""

    photograph: str
    number: int
    kind: int
    shape: tuple[int, ...]
    box: Edges
    landmarks: Float[ndarray, "l 2"]
    parts: bytes


def _animals_of(name: str, file: MatFile, strange: Counter[str]) -> list[Animal]:
    """The animals of a file that are large enough; `strange` counts parts that are not used."""
    of = file.texts(ANNO, "imname")
    if of != [name]:
        raise InputError(f"{file.path} is of {' '.join(of)[:60] or 'no image'}, expected {name}; copy it again")
    found = []
    for index, kind in enumerate(file.texts(ANNO, OBJECTS, "class")):
        if kind in CATEGORIES:
            (silhouette,) = file.planes(ANNO, OBJECTS, index, "mask")
            box = edges_of(silhouette)
            if box and (box[2] - box[0]) * (box[3] - box[1]) >= LEAST_AREA:
                whose = f"of a {kind} ({file.path}, {ANNO}.{OBJECTS}({index + 1}))"
                parts = _fitting(_parts_of(file, index, silhouette.shape), box, whose, strange)
                landmarks = np.array([_centre(parts.get(part)) for part in LANDMARKS])
                bits = _bits(whose, kind, parts, box, strange)
                number = CATEGORIES.index(kind)
                found.append(Animal(name, index + 1, number, silhouette.shape, box, landmarks, zlib.compress(bits, 6)))
        elif kind not in OTHER_CLASSES:
            where = f"{file.path} has the class {kind[:40]!r} as {ANNO}.{OBJECTS}({index + 1}).class"
            raise InputError(f"{where}, expected one of VOC's twenty; copy it again")
    return found


def _parts_of(file: MatFile, index: int, shape: tuple[int, ...]) -> list[tuple[str, UInt8[ndarray, "H W"]]]:
    """The names and masks of the parts of an object."""
    path = ANNO, OBJECTS, index, "parts"
    names, masks = file.texts(*path, "part_name"), file.planes(*path, "mask")
    for part, mask in zip(names, masks, strict=True):
        if mask.shape != shape:
            found, expected = (" x ".join(map(str, one)) for one in (mask.shape, shape))
            where = f"{file.path} has a mask of {found} for {part[:40]} of {ANNO}.{OBJECTS}({index + 1})"
            raise InputError(f"{where}, expected {expected} as the object; copy it again")
    return list(zip(names, masks, strict=True))


def _fitting(
    parts: Sequence[tuple[str, UInt8[ndarray, "H W"]]], box: Edges, whose: str, strange: Counter[str]
) -> dict[str, UInt8[ndarray, "H W"]]:
    """The masks by name: of several of one name the last, and none whose centre lies outside the box of its object."""
    found: dict[str, UInt8[ndarray, "H W"]] = {}
    for name, mask in parts:
        x, y = _centre(mask)
        if x < box[0] or x > box[2] or y < box[1] or y > box[3]:
            strange[f"{name[:40]!r} outside {whose}"] += 1
            continue
        if name in found:
            strange[f"an earlier {name[:40]!r} {whose}"] += 1
        found[name] = mask
    return found


def _bits(
    whose: str, kind: str, parts: Mapping[str, UInt8[ndarray, "H W"]], box: Edges, strange: Counter[str]
) -> bytes:
    """The merged masks within the box, a bit for each of PARTS; `whose` says of which object they are."""
    left, top, right, bottom = box
    bits = np.zeros((bottom - top, right - left), np.uint8)
    for name, mask in parts.items():
        part = merged(kind, name)
        if part is None:
            strange[f"{name[:40]!r} {whose}"] += 1
        elif part:
            bits |= mask[top:bottom, left:right] << PARTS.index(part)
    return bits.tobytes()


def edges_of(mask: UInt8[ndarray, "H W"]) -> Edges | None:
    """The edges x0 y0 x1 y1 of what a mask shows: pixel i spans [i, i + 1). None where it shows nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _centre(mask: UInt8[ndarray, "H W"] | None) -> tuple[float, float]:
    """The centre x y of the box of a part, NaN where there is none."""
    edges = None if mask is None else edges_of(mask)
    return ((edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2) if edges else (np.nan, np.nan)


def _arrays(animals: Sequence[Animal], remark: str) -> dict[str, ndarray]:
    n = len(animals)
    return {
        "photographs": np.array([animal.photograph for animal in animals], "U11"),
        "numbers": np.array([animal.number for animal in animals], np.int64),
        "kinds": np.array([animal.kind for animal in animals], np.int64),
        "shapes": np.array([animal.shape for animal in animals], np.int64).reshape(n, 2),
        "boxes": np.array([animal.box for animal in animals], np.int64).reshape(n, 4),
        "landmarks": np.array([animal.landmarks for animal in animals]).reshape(n, len(LANDMARKS), 2),
        "lengths": np.array([len(animal.parts) for animal in animals], np.int64),
        "parts": np.frombuffer(b"".join(animal.parts for animal in animals), np.uint8),
        "remark": np.array(remark),
    }


def _loaded(path: Path) -> Animals:
    with np.load(path, allow_pickle=False) as file:
        names, numbers, kinds, shapes, boxes, landmarks = (file[key] for key in FIELDS)
        ends, deflated, remark = file["lengths"].cumsum().tolist(), file["parts"].tobytes(), str(file["remark"])
    parts = [deflated[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return Animals(names.tolist(), numbers, kinds, shapes, boxes, landmarks, parts, remark)
