"""The files of CelebA: what they say of each photo, in the nestings of its site, of torchvision and of Kaggle."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from partbench import InputError
from partbench.datasets.celeba.table import Table
from partbench.datasets.data_root import given_root
from partbench.datasets.folder_files import sizes_in
from partbench.datasets.text_table import decoded

ATTRIBUTES_FILE = "Anno/list_attr_celeba.txt"
LANDMARKS_FILE = "Anno/list_landmarks_align_celeba.txt"
PARTITION_FILE = "Eval/list_eval_partition.txt"
PHOTOS, ARCHIVE = "Img/img_align_celeba", "img_align_celeba.zip"
NESTED = ("celeba", "CelebA", "celeba-dataset", "archive")  # folders that torchvision, people and Kaggle put it in
WANTED = "the folder that holds Anno/, Eval/ and Img/, or list_attr_celeba.txt or .csv and img_align_celeba/"

ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips",
    "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin",
    "Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open",
    "Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline",
    "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat",
    "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip
LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
COORDINATES = tuple(f"{name.replace('_', '')}_{axis}" for name in LANDMARKS for axis in "xy")
PARTITIONS = ("train", "validation", "test")

MOST_PIXEL = 9999  # of a landmark's coordinates, either way: some lie outside their photo


@dataclass(frozen=True)
class Faces:
    """What the text files say of every photo; landmarks are x y in px of the aligned photo of 178 x 218 px.

    `partition` is an index into PARTITIONS; `first_line` is the line of the first photo in its file.
    """

    names: list[str]
    attributes: Int[ndarray, "N 40"]
    landmarks: Float[ndarray, "N 5 2"]
    partition: Int[ndarray, "N"]
    first_line: int


@dataclass
class CelebaFolder:
    """The root folder; the content of every text file read enters `digest`, with its name in the official nesting."""

    root: Path
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @classmethod
    def of(cls, root: Path | None) -> CelebaFolder:
        """The folder named, or one in it. Raises InputError if it does not look like CelebA."""
        root = given_root("celeba", root, WANTED)
        for place in (root, *(root / name for name in NESTED)):
            folder = cls(place)
            if any(folder.path_of(name).is_file() for name in (ATTRIBUTES_FILE, LANDMARKS_FILE, PARTITION_FILE)):
                return folder
        raise InputError(f"{root} holds no text file of CelebA; name {WANTED}")

    def path_of(self, name: str) -> Path:
        """Where a text file lies: as on the site, without folders (torchvision), or as CSV (Kaggle).

        Where it is in none of these places, the one that the other files suggest.
        """
        file = Path(name).name
        flat, nested = self.root / file, self.root / name
        for path in (nested, flat, flat.with_suffix(".csv"), nested.with_suffix(".csv")):
            if path.is_file():
                return path
        return nested if (self.root / "Anno").is_dir() else flat

    def photos(self) -> Path:
        """The folder of the aligned photos. Raises InputError if there is none."""
        for name in (PHOTOS, Path(PHOTOS).name):
            inner = self.root / name / Path(PHOTOS).name  # Kaggle's archive has the folder twice
            for folder in (inner, self.root / name):
                if folder.is_dir():
                    return folder
        for archive in (self.root / "Img" / ARCHIVE, self.root / ARCHIVE):
            if archive.is_file():
                with open(archive, "rb") as file:
                    start = file.read(1024)
                if not start.startswith(b"PK"):
                    decoded(archive, start, "latin-1")  # says that it is an HTML page
                    raise InputError(f"{archive} is no ZIP archive; download it again")
        folder = self.root / (PHOTOS if (self.root / "Anno").is_dir() else Path(PHOTOS).name)
        raise InputError(f"no folder {folder}; unpack {ARCHIVE} there")

    def faces(self) -> Faces:
        """The three text files, which must list the same photos in the same order."""
        table = self._table(ATTRIBUTES_FILE, ATTRIBUTES)
        names, signs = table.rows(-1, 1, "1 or -1")
        if len(set(names)) < len(names):
            first = {name: i for i, name in reversed(list(enumerate(names)))}
            again = next(i for i, name in enumerate(names) if first[name] < i)
            raise table.wrong(again, f"{names[again]} a second time")
        places = self._table(LANDMARKS_FILE, COORDINATES)
        points = _same(names, table, places, (-MOST_PIXEL, MOST_PIXEL), "a whole number")
        partition = self._table(PARTITION_FILE, ["partition"])
        parts = _same(names, table, partition, (0, 2), "0, 1 or 2")
        return Faces(
            names,
            table.ordered(_signs(table, signs), ATTRIBUTES).astype(np.int8),
            places.ordered(points, COORDINATES).astype(float).reshape(-1, len(LANDMARKS), 2),
            parts[:, 0],
            partition.first,
        )

    def photo_sizes(self) -> dict[str, int]:
        """Bytes of each photo there is, by its name. Raises InputError for a link that leads out of their folder."""
        folder = self.photos()
        return sizes_in(folder, folder, "")

    def _table(self, name: str, columns: Sequence[str]) -> Table:
        path = self.path_of(name)
        if not path.is_file():
            raise InputError(f"{path} is missing; copy the whole dataset")
        content = path.read_bytes()
        self.digest.update(f"{name} {len(content)} ".encode() + content)
        if path.suffix == ".csv":
            return Table.with_commas(path, content, columns)
        return (Table.bare if name == PARTITION_FILE else Table.counted)(path, content, columns)


def _signs(table: Table, signs: Int[ndarray, "N 40"]) -> Int[ndarray, "N 40"]:
    """Attributes as 1 and -1; some copies have 0 for -1, throughout. Raises InputError where they are mixed."""
    zero = signs == 0
    if not zero.any():
        return signs
    if (signs == -1).any():
        row, column = np.argwhere(zero)[0]
        raise table.wrong(int(row), f"{table.columns[column]} is '0', expected 1 or -1")
    return np.where(zero, -1, signs)


def _same(names: list[str], first: Table, other: Table, bounds: tuple[int, int], expected: str) -> Int[ndarray, "N c"]:
    """The numbers of another table, if they are of these photos in this order."""
    found, rows = other.rows(*bounds, expected)
    if found == names:
        return rows
    for i, (name, here) in enumerate(zip(names, found, strict=False)):
        if name != here:
            raise other.wrong(i, f"{here}, but {first.path.name} has {name} in line {first.first + i}")
    raise InputError(f"{other.path} has {len(found)} rows, but {first.path} has {len(names)}; copy both again")
