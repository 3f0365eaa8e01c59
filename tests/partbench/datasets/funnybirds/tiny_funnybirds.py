"""A tiny folder in the published layout of FunnyBirds: three classes, birds made of blocks, smooth edges."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from partbench.datasets.funnybirds.part_map import PARTS

CLASSES = (0, 7, 31)
SIDE, FINE = 32, 4  # px of an image, and finer px in each of them before edges are smoothed
BLOCKS = {  # top, left, bottom, right in px, and colours in the part map (RGB)
    "body": (8.0, 8.0, 22.0, 24.0, (170, 170, 170)), "beak": (9.5, 24.0, 12.5, 29.0, (255, 255, 0)),
    "eye": (5.0, 18.0, 8.0, 21.25, (255, 255, 253)), "foot": (22.0, 12.0, 27.5, 14.5, (255, 0, 1)),
    "tail": (12.0, 3.25, 16.0, 8.0, (0, 0, 255)), "wing": (11.0, 11.0, 17.0, 19.0, (0, 255, 2)),
    "thing": (25.5, 20.5, 30.0, 27.0, (204, 204, 205)),
}  # fmt: skip


def smooth(fine: np.ndarray) -> np.ndarray:
    """An image of a fourth of the side, each pixel the mean of those it covers."""
    height, width = (side // FINE for side in fine.shape[:2])
    return fine.reshape(height, FINE, width, FINE, -1).mean((1, 3)).round().astype(np.uint8)


def drawn(without: str = "", shade: int = 0, shift: float = 0.0) -> np.ndarray:
    """A bird without a part, and a thing of the background, as its part map; `shade` is of the image's background."""
    fine = np.full((SIDE * FINE, SIDE * FINE, 3), shade, np.uint8)
    for name, (*corners, colour) in BLOCKS.items():
        top, left, bottom, right = (round((corner + shift) * FINE) for corner in corners)
        if name != without:
            fine[top:bottom, left:right] = colour
    return smooth(fine)


def save(path: Path, image: np.ndarray) -> None:
    """RGB as a PNG with an opaque alpha, as published."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.dstack([image[..., ::-1], np.full(image.shape[:2], 255, np.uint8)]))


def write(root: Path, interventions: bool = True) -> Path:
    """The folder FunnyBirds/ in `root`: two images of each class for training, one for testing."""
    place = root / "FunnyBirds"
    for split, each in (("train", 2), ("test", 1)):
        listed = [number for number in CLASSES for _ in range(each)]
        for i, number in enumerate(listed):
            shade, shift = 60 + 20 * i + (split == "test"), 0.25 * i
            name = f"{number}/{i:06d}"
            save(place / split / f"{name}.png", drawn(shade=shade, shift=shift))
            save(place / f"{split}_part_map" / f"{name}.png", drawn(shift=shift))
            for part in PARTS if split == "test" and interventions else ():
                kept = "_".join(other for other in PARTS if other != part)
                image = drawn(part, shade, shift)
                save(place / "test_interventions" / name / f"body_{kept}.png", image)
        (place / f"dataset_{split}.json").write_text(
            json.dumps([{"class_idx": n, "beak_model": "beak01.glb"} for n in listed])
        )
    (place / "classes.json").write_text(json.dumps([{"class_idx": n, "parts": {}} for n in range(50)]))
    (place / "parts.json").write_text(json.dumps({part: [] for part in PARTS}))
    return place
