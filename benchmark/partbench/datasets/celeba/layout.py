"""The files of CelebA as published: what they say of each photo; whatever is wrong names the file and the line."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from partbench import InputError

ATTRIBUTES_FILE = "Anno/list_attr_celeba.txt"
LANDMARKS_FILE = "Anno/list_landmarks_align_celeba.txt"
PARTITION_FILE = "Eval/list_eval_partition.txt"
PHOTOS = "Img/img_align_celeba"

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
PARTITIONS = {"0": "train", "1": "validation", "2": "test"}

Value = TypeVar("Value")


@dataclass
class Table:
    """A text file of one row a photo: its name, then a value per column. Line numbers count from 1."""

    path: Path
    lines: list[str]
    columns: tuple[str, ...]
    first: int  # line of the first row

    @classmethod
    def counted(cls, path: Path, content: bytes, columns: Sequence[str]) -> Table:
        """A file whose line 1 is the number of rows and line 2 the names of its columns, in any order."""
        lines = _lines(content)
        names = tuple(lines[1].split()) if len(lines) > 1 else ()
        if missing := [name for name in columns if name not in names]:
            raise InputError(f"{path} line 2: no column {missing[0]}, expected {len(columns)} names; copy it again")
        if len(names) != len(columns):
            raise InputError(f"{path} line 2: {len(names)} columns, expected {len(columns)}; copy it again")
        rows = lines[2:]
        if lines[0].strip() != str(len(rows)):
            raise InputError(f"{path} line 1: {lines[0].strip()!r} photos, but {len(rows)} rows follow; copy it again")
        return cls(path, rows, names, 3)

    @classmethod
    def bare(cls, path: Path, content: bytes, columns: Sequence[str]) -> Table:
        """A file without count and names."""
        return cls(path, _lines(content), tuple(columns), 1)

    def rows(self, convert: Callable[[str], Value], expected: str) -> tuple[list[str], list[list[Value]]]:
        """The photos' names, and the values of each; `convert` raises ValueError for what is not `expected`."""
        names, rows = [], []
        for i, line in enumerate(self.lines):
            name, *values = line.split() or [""]
            if len(values) != len(self.columns):
                raise self.wrong(i, f"{len(values)} values, expected {len(self.columns)} after the photo's name")
            try:
                rows.append([convert(value) for value in values])
            except (ValueError, OverflowError):
                raise self._wrong_value(i, values, convert, expected) from None
            names.append(name)
        return names, rows

    def ordered(self, values: ndarray, columns: Sequence[str]) -> ndarray:
        """Values (n, a) of the rows with their columns in this order."""
        return values.reshape(-1, len(columns))[:, [self.columns.index(name) for name in columns]]

    def wrong(self, row: int, what: str) -> InputError:
        """An InputError about the line of a row."""
        return InputError(f"{self.path} line {self.first + row}: {what}; copy it again")

    def _wrong_value(
        self, row: int, values: Sequence[str], convert: Callable[[str], object], expected: str
    ) -> InputError:
        for column, value in zip(self.columns, values, strict=True):
            try:
                convert(value)
            except (ValueError, OverflowError):
                return self.wrong(row, f"{column} is {value!r}, expected {expected}")
        raise AssertionError("every value can be converted")


@dataclass(frozen=True)
class Faces:
    """What the text files say of every photo; landmarks are x y in px of the aligned photo of 178 x 218 px."""

    names: list[str]
    attributes: Int[ndarray, "N 40"]
    landmarks: Float[ndarray, "N 5 2"]
    partition: list[str]


@dataclass
class CelebaFolder:
    """The root folder; the content of every text file read enters `digest`."""

    root: Path
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def faces(self) -> Faces:
        """The three text files, which must list the same photos in the same order."""
        table = Table.counted(*self._read(ATTRIBUTES_FILE), ATTRIBUTES)
        names, signs = table.rows(_sign, "1 or -1")
        if len(set(names)) < len(names):
            first = {name: i for i, name in reversed(list(enumerate(names)))}
            again = next(i for i, name in enumerate(names) if first[name] < i)
            raise table.wrong(again, f"{names[again]} a second time")
        places = Table.counted(*self._read(LANDMARKS_FILE), COORDINATES)
        points = self._same(names, table, places, _pixel, "a whole number")
        partition = Table.bare(*self._read(PARTITION_FILE), ["partition"])
        parts = self._same(names, table, partition, _part, "0, 1 or 2")
        return Faces(
            names,
            table.ordered(np.array(signs, np.int8), ATTRIBUTES),
            places.ordered(np.array(points, float), COORDINATES).reshape(-1, len(LANDMARKS), 2),
            [part for (part,) in parts],
        )

    def photo_sizes(self) -> dict[str, int]:
        """Bytes of each photo there is, by its name."""
        folder = self.root / PHOTOS
        if not folder.is_dir():
            raise InputError(f"no folder {folder}; unpack img_align_celeba.zip there")
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries}

    def _same(
        self, names: list[str], first: Table, other: Table, convert: Callable[[str], Value], expected: str
    ) -> list[list[Value]]:
        """The rows of another table, if they are of these photos in this order."""
        found, rows = other.rows(convert, expected)
        for i, (name, here) in enumerate(zip(names, found, strict=False)):
            if name != here:
                raise other.wrong(i, f"{here}, but {first.path.name} has {name} in line {first.first + i}")
        if len(found) != len(names):
            raise InputError(f"{other.path} has {len(found)} rows, but {first.path} has {len(names)}; copy both again")
        return rows

    def _read(self, name: str) -> tuple[Path, bytes]:
        path = self.root / name
        if not path.is_file():
            raise InputError(f"{path} is missing; copy the whole dataset")
        content = path.read_bytes()
        self.digest.update(f"{name} {len(content)} ".encode() + content)
        return path, content


def _lines(content: bytes) -> list[str]:
    """Lines without those that are empty at the end; bytes that are no text are kept visible."""
    return content.decode("utf-8", "backslashreplace").rstrip().split("\n")


def _sign(text: str) -> int:
    if text not in ("1", "-1"):
        raise ValueError(text)
    return 1 if text == "1" else -1


def _pixel(text: str) -> float:
    return float(int(text))


def _part(text: str) -> str:
    if text not in PARTITIONS:
        raise ValueError(text)
    return text
