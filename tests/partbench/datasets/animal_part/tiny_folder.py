"""A tiny folder in the published layout of Animal-Part, written in both MATLAB encodings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import h5py
import numpy as np
from scipy.io import savemat

from partbench.datasets.animal_part import AnimalPart
from partbench.datasets.animal_part.dataset import WNIDS
from partbench.datasets.animal_part.layout import TRUTH_FOLDER

NONE = np.zeros((0, 0))


def write_v5(path: Path, variable: str, rows: list[dict]) -> None:
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        array[0, i] = tuple(row.values())
    savemat(path, {variable: array})


def write_v73(path: Path, variable: str, rows: list[dict]) -> None:
    """As MATLAB does: a 512-byte header, fields as references, arrays transposed, text as uint16, empties marked."""
    with h5py.File(path, "w", userblock_size=512) as file:
        heap, counter = file.create_group("#refs#"), iter(range(10**6))

        def put(group: h5py.Group, name: str, value: object) -> None:
            if isinstance(value, list):  # a struct array: every field holds references
                inner = group.create_group(name)
                for key in value[0]:
                    inner[key] = refer([[item[key] for item in value]], inner)
            elif isinstance(value, dict):
                inner = group.create_group(name)
                for key, item in value.items():
                    put(inner, key, item)
            elif isinstance(value, str):
                group[name] = np.array([[ord(c)] for c in value], np.uint16)
                group[name].attrs["MATLAB_class"] = np.bytes_("char")
            elif np.size(value) == 0:
                group[name] = np.zeros(2, np.uint64)
                group[name].attrs["MATLAB_empty"] = np.uint8(1)
            else:
                group[name] = np.atleast_2d(value).T

        def refer(columns: list[list], _: h5py.Group) -> np.ndarray:
            out = np.empty((len(columns[0]), 1), h5py.ref_dtype)
            for i, item in enumerate(columns[0]):
                name = f"r{next(counter)}"
                put(heap, name, item)
                out[i, 0] = heap[name].ref
            return out

        group = file.create_group(variable)
        for key in rows[0]:
            group.create_dataset(key, data=refer([[row[key] for row in rows]], group), dtype=h5py.ref_dtype)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")


WRITERS = {"v5": write_v5, "v7.3": write_v73}


def bndbox(corners: tuple[int, int, int, int], text: bool = False) -> dict:
    """A MATLAB object with its box xmin ymin xmax ymax."""
    values = [str(c) if text else float(c) for c in corners]
    return {"bndbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), values, strict=True))}


def column(*centres: tuple[float, float]) -> np.ndarray:
    """Centres (row, col) as MATLAB keeps them: one a column."""
    return np.array(centres, float).T if centres else NONE


@dataclass
class TinyFolder:
    """The published layout in small: `photos` a category, `negatives`, all 40 x 30 px with box 5 3 24 22."""

    root: Path
    encoding: str = "v5"
    animals: tuple[str, ...] = ("cat", "cattle", "dog", "horse", "sheep")
    photos: int = 4
    negatives: int = 2
    box: tuple[int, int, int, int] = (5, 3, 24, 22)
    heads: dict[int, tuple] = field(default_factory=lambda: {0: ((113.0, 57.0),)})  # row of cat -> centres

    def write(self) -> TinyFolder:
        for name in self.animals:
            wnid = WNIDS[name]
            for i in range(self.photos):
                self.photo(f"{wnid}_obj/img/img/{i + 1:05d}.jpg")
            self.data(wnid, [bndbox(self.box) for _ in range(self.photos)])
            heads = self.heads if name == "cat" else {}
            self.truth(wnid, 1, [heads.get(i, ()) for i in range(self.photos)])
            self.truth(wnid, 2, [()] * self.photos)
        for i in range(self.negatives):
            self.photo(f"neg/{i + 1:05d}.JPEG")
        return self

    def photo(self, path: str, image: np.ndarray | None = None) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        image = np.full((30, 40, 3), 127, np.uint8) if image is None else image
        cv2.imwrite(str(self.root / path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])

    def data(self, wnid: str, objects: list) -> None:
        path = self.root / f"{wnid}_obj/img/data.mat"
        WRITERS[self.encoding](path, "samples", [{"class": 1.0, "obj": item} for item in objects])

    def truth(self, wnid: str, part: int, centres: list[tuple], objects: list | None = None) -> Path:
        path = self.root / TRUTH_FOLDER / wnid / f"truth_part{part:02d}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        objects = objects or [NONE] * len(centres)
        rows = [
            {"pHW_center": column(*c), "pHW_scale": column(*[(56.0, 28.0)] * len(c)), "obj": item}
            for c, item in zip(centres, objects, strict=True)
        ]
        WRITERS[self.encoding](path, "truth", rows)
        return path

    def open(self, size: int = 224) -> AnimalPart:
        return AnimalPart(self.root, size)
