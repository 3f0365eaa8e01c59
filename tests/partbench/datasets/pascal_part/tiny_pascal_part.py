"""A tiny folder in the layout of Pascal-Part and VOC 2010, its annotations in the published structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

WIDTH, HEIGHT = 90, 80  # px of every photograph
Edges = tuple[int, int, int, int]
BODY: Edges = (10, 5, 70, 55)  # a box of 60 x 50 px


@dataclass(frozen=True)
class Thing:
    """An object of an annotation: a rectangle, with parts that are rectangles too."""

    kind: str
    edges: Edges = BODY
    parts: Mapping[str, Edges] = field(default_factory=dict)


CAT = Thing("cat", parts={"head": (10, 5, 30, 25), "leye": (28, 10, 34, 14), "torso": (30, 15, 60, 40), "lfpa": BODY})
BIRD = Thing("bird", (0, 0, 90, 80), {"beak": (0, 30, 10, 40), "lwing": (20, 20, 70, 60), "tail": (80, 40, 90, 50)})
PHOTOGRAPHS: dict[str, Sequence[Thing]] = {
    "2008_000001": (Thing("person"), CAT, Thing("bird", (0, 0, 49, 50))),
    "2008_000002": (Thing("cat"), Thing("dog", (20, 20, 90, 80), {"muzzle": (40, 30, 50, 40)})),
    "2009_000003": (Thing("dog", parts={"neck": (12, 8, 22, 28)}),),
    "2009_000004": (Thing("dog"), Thing("dog", (0, 0, 60, 60))),
    "2010_000005": (BIRD, Thing("table")),
    "2010_000006": (Thing("bird", (5, 5, 85, 75)),),
    "2010_000007": (Thing("aeroplane", parts={"wheel_1": (10, 5, 12, 7)}), Thing("boat")),
}


def mask(edges: Edges, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """1 within the rectangle x0 y0 x1 y1, else 0."""
    x0, y0, x1, y1 = edges
    shown = np.zeros(shape, np.uint8)
    shown[y0:y1, x0:x1] = 1
    return shown


def struct_array(rows: Sequence[Mapping[str, object]]) -> np.ndarray:
    """A 1 x N struct array; 0 x 0 without rows, as MATLAB writes none."""
    if not rows:
        return np.zeros((0, 0))
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        array[0, i] = tuple(row.values())
    return array


def annotation(path: Path, things: Sequence[Thing], name: str = "", shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """Write the .mat file of a photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = [
        {
            "class": thing.kind,
            "class_ind": 1.0,
            "mask": mask(thing.edges, shape),
            "parts": struct_array([{"part_name": part, "mask": mask(edges)} for part, edges in thing.parts.items()]),
        }
        for thing in things
    ]
    savemat(path, {"anno": {"imname": name or path.stem, "objects": struct_array(objects)}}, do_compression=True)
    return path


def photograph(path: Path, things: Sequence[Thing]) -> None:
    """Objects in green and their parts in red, on black."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for thing in things:
        image[mask(thing.edges) > 0] = (0, 200, 0)
    for edges in (edges for thing in things for edges in thing.parts.values()):
        image[mask(edges) > 0] = (0, 0, 200)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 98])


def write(root: Path, photographs: Mapping[str, Sequence[Thing]] = PHOTOGRAPHS, lists: bool = False) -> Path:
    """The folder of these photographs; with `lists`, those of an even number are in val.txt."""
    voc = root / "VOCdevkit/VOC2010"
    for name, things in photographs.items():
        annotation(root / f"Annotations_Part/{name}.mat", things)
        photograph(voc / f"JPEGImages/{name}.jpg", things)
    if lists:
        (voc / "ImageSets/Main").mkdir(parents=True)
        for split, rest in (("train", 1), ("val", 0)):
            names = [name for name in photographs if int(name[-1]) % 2 == rest]
            (voc / f"ImageSets/Main/{split}.txt").write_text("\n".join(names) + "\n")
    return root
