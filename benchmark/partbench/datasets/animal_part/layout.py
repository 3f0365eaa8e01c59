"""The files of Animal-Part as published: where they lie, what they say of each photo, what is missing."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from string import digits

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from partbench import InputError
from partbench.datasets.folder_files import files_in
from partbench.datasets.links import check_link
from partbench.datasets.matlab.process import MatFile, MatlabProcess
from partbench.datasets.photograph import Corners, whole_ones

TRUTH_FOLDER = "data_input_DET-2015-subset-ILSVRC2013train"
PARTS = ("head", "legs")
FRAME = 224  # px: the side of the frame in which parts are annotated
BESIDE = FRAME / 2  # px that a centre may lie outside of the frame
LEGLESS = ("goldfish",)  # published without a truth file of the legs
CORNERS = ("xmin", "ymin", "xmax", "ymax")
NEGATIVES, NEGATIVE = "neg", ".JPEG"


@dataclass(frozen=True)
class Photo:
    """One photo: id, file, label and box (1-based, inclusive; None: the whole image).

    `centres` (row, col) and `extents` (height, width) of the parts are in the 224 x 224 frame of the box, counted from
    1; NaN unless the truth file gives exactly one. `found` is how many it gives.
    """

    id: str
    path: Path
    label: int
    box: Corners | None
    centres: Float[ndarray, "p 2"]
    extents: Float[ndarray, "p 2"]
    found: Int[ndarray, "p"]


@dataclass
class AnimalPartFolder:
    """The root folder; every file asked for enters `digest`, with its content (.mat) or its size (photos).

    `process` reads the .mat files.
    """

    root: Path
    process: MatlabProcess
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def mat(self, path: str) -> MatFile | None:
        """A .mat file, None if there is none."""
        file = self.root / path
        if file.is_symlink():
            check_link(file, self.root)
        if not file.is_file():
            return None
        content = file.read_bytes()
        self._note(path, len(content), content)
        return MatFile(file, content, self.process, cached=True)

    def photos(self, folder: str, suffix: str) -> list[Path]:
        """The photos of a folder, by name. Raises InputError if there are none, and for a link out of the folder."""
        place = self.root / folder
        found = files_in(place, self.root, (suffix,)) if place.is_dir() else ()
        files = sorted(Path(entry.path) for entry in found if entry.name[0] in digits)
        if not files:
            raise InputError(f"no photos {self.root / folder}/*{suffix}; its folder must hold {folder}/ as published")
        for file in files:
            self._note(f"{folder}/{file.name}", file.stat().st_size)
        return files

    def _note(self, path: str, size: int, content: bytes = b"") -> None:
        self.digest.update(f"{path} {size}\n".encode() + content)


def category_photos(folder: AnimalPartFolder, name: str, wnid: str, label: int) -> list[Photo]:
    """The photos of one category that have a box, in the order of their numbers.

    Boxes come from data.mat or, where it is absent, from the truth files. Raises InputError where a file is missing or
    photos and rows do not match; warns of photos without a box and of an absent part file.
    """
    files = folder.photos(f"{wnid}_obj/img/img", ".jpg")
    truths = [folder.mat(f"{TRUTH_FOLDER}/{wnid}/truth_part{k + 1:02d}.mat") for k in range(len(PARTS))]
    if truths[0] is None:
        missing = folder.root / TRUTH_FOLDER / wnid / "truth_part01.mat"
        raise InputError(f"{missing} is missing ({PARTS[0]} of {name}); copy the whole dataset")
    boxes = _boxes(folder.mat(f"{wnid}_obj/img/data.mat"), [t for t in truths if t])
    _check_complete(files, len(boxes[1]), boxes[0])
    parts = [_part(truth, len(files)) for truth in truths]
    for part, truth in zip(PARTS, truths, strict=True):
        if truth is None and not (part == "legs" and name in LEGLESS):
            warnings.warn(f"animal_part: no truth file for the {part} of {name} ({wnid})", stacklevel=2)
    centres, extents, found = (np.stack(axis, 1) for axis in zip(*parts, strict=True))
    photos = [
        Photo(f"{name}/{f.stem}", f, label, box, centres[i], extents[i], found[i])
        for i, (f, box) in enumerate(zip(files, boxes[1], strict=True))
        if box is not None
    ]
    if len(photos) < len(files):
        bare = [f for f, box in zip(files, boxes[1], strict=True) if box is None]
        warnings.warn(f"animal_part: skipped {len(bare)} photos without a box, first {bare[0]}", stacklevel=2)
    return photos


def has_negatives(root: Path) -> bool:
    """Whether a folder holds random photographs."""
    return any((root / NEGATIVES).glob(f"[0-9]*{NEGATIVE}"))


def negative_photos(folder: AnimalPartFolder, label: int) -> list[Photo]:
    """The photos of neg/: whole images without annotation."""
    nowhere, none = np.full((len(PARTS), 2), np.nan), np.zeros(len(PARTS), int)
    files = folder.photos(NEGATIVES, NEGATIVE)
    return [Photo(f"neg/{file.stem}", file, label, None, nowhere, nowhere, none) for file in files]


def whole(photos: list[Photo]) -> list[Photo]:
    """Those of `photos` whose file is not truncated; warns of the others. Raises InputError if they are over 1 %."""
    return [
        photo for photo, kept in zip(photos, whole_ones([p.path for p in photos], "animal_part"), strict=True) if kept
    ]


def _boxes(data: MatFile | None, truths: list[MatFile]) -> tuple[Path, list[Corners | None]]:
    """The file that says how many photos there are, and a box per row, None where there is none."""
    if data is not None:
        return data.path, _column_of_boxes(data, "samples")
    columns = [_column_of_boxes(truth, "truth") for truth in truths]
    rows = range(max(map(len, columns)))
    known = [[column[i] for column in columns if i < len(column) and column[i]] for i in rows]
    return truths[0].path, [boxes[0] if boxes else None for boxes in known]


def _column_of_boxes(mat: MatFile, variable: str) -> list[Corners | None]:
    boxes: list[Corners | None] = []
    for corners in mat.nested(variable, "obj/bndbox", CORNERS):
        left, top, right, bottom = (float(c.flat[0]) if c.size else np.nan for c in corners)
        if np.isinf([left, top, right, bottom]).any():
            row = len(boxes) + 1
            raise InputError(f"{mat.path} has a box of {left} {top} {right} {bottom} in row {row}; copy it again")
        empty = not (right >= max(left, 1) and bottom >= max(top, 1))  # also where a corner is NaN
        boxes.append(None if empty else (left, top, right, bottom))
    return boxes


def _check_complete(files: list[Path], rows: int, source: Path) -> None:
    expected = [f"{i + 1:05d}.jpg" for i in range(rows)]
    missing = sorted(set(expected) - {file.name for file in files})
    if missing:
        gap = f"{files[0].parent / missing[0]} is missing"
        raise InputError(f"{gap}: {len(files)} photos, but {rows} rows in {source}; copy the whole dataset")
    if len(files) != rows:
        raise InputError(f"{files[0].parent} has {len(files)} photos, but {source} has {rows} rows; copy both again")


def _part(truth: MatFile | None, rows: int) -> tuple[ndarray, ndarray, ndarray]:
    """Centre, extent and number of centres of one part for every photo."""
    centres, extents, found = np.full((rows, 2), np.nan), np.full((rows, 2), np.nan), np.zeros(rows, int)
    if truth is None:
        return centres, extents, found
    columns = truth.values("truth", "pHW_center"), truth.values("truth", "pHW_scale")
    if len(columns[0]) != rows:
        raise InputError(f"{truth.path} has {len(columns[0])} rows for {rows} photos; copy it and the photos again")
    for i, (centre, extent) in enumerate(zip(*columns, strict=True)):
        if centre.size and len(centre) != 2:
            raise InputError(f"{truth.path} has a {centre.shape} centre in row {i + 1}, expected 2 x K; copy it again")
        if not np.isfinite(centre).all():
            raise InputError(f"{truth.path} has a centre that is no number in row {i + 1}; copy it again")
        far = ((centre < -BESIDE) | (centre > FRAME + BESIDE)).any(0)
        if far.any():
            warnings.warn(f"animal_part: {truth.path} has a centre far outside of its box, row {i + 1}", stacklevel=3)
            centre, extent = centre[:, ~far], extent[:, ~far] if extent.shape == centre.shape else extent
        found[i] = centre.shape[1]
        if found[i] == 1:
            centres[i] = centre[:, 0]
            extents[i] = extent[:, 0] if extent.shape == (2, 1) else np.nan
    return centres, extents, found
