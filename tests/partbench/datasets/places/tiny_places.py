"""Tiny folders in every published form of ADE20K and Places365: drawn rooms with three objects each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 48, 36  # px of every photograph
LABELS = {1: "wall", 4: "floor, flooring", 8: "bed", 15: "table", 20: "chair", 37: "bathtub, bathing tub, bath, tub"}
INDEX_2021 = {label: 300 + 211 * i for i, label in enumerate(LABELS.values())}  # classes of the full release
OWN = {"bedroom": 8, "kitchen": 15, "bathroom": 37}  # the object of each room
SPLITS = {"training": "train", "validation": "val"}


@dataclass(frozen=True)
class Scene:
    """A drawn room: the wall over the floor, and its own object at x, 12 px wide."""

    number: int
    room: str
    split: str

    @property
    def name(self) -> str:
        return f"ADE_{SPLITS[self.split]}_{self.number:08d}"

    def codes(self) -> np.ndarray:
        """Class of each pixel, as the challenge numbers them; a corner shows nothing."""
        found = np.full((HEIGHT, WIDTH), 1, np.uint8)
        found[24:] = 4
        x = 6 + self.number % 20
        found[16:30, x : x + 12] = OWN.get(self.room, 20)
        found[:3, :5] = 0
        return found

    def pixels(self) -> np.ndarray:
        colours = np.zeros((256, 3), np.uint8)
        colours[:151] = np.stack([np.arange(151) * 5 % 200, np.arange(151) * 31 % 256, np.arange(151) * 17 % 256], 1)
        image = colours[self.codes()]
        image[-1, : self.number % WIDTH] = 255  # no two photographs are equal
        return image


def scenes(each: int = 3) -> list[Scene]:
    """So many of each room and split, and a street."""
    rooms = [(room, split) for split in SPLITS for room in OWN for _ in range(each)]
    return [Scene(i, *pair) for i, pair in enumerate([*rooms, ("street", "training")], 1)]


def photograph(path: Path, scene: Scene) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), scene.pixels()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])


def image(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def challenge(root: Path, of: list[Scene] | None = None) -> Path:
    """ADEChallengeData2016/."""
    place = root / "ADEChallengeData2016"
    for scene in of or scenes():
        photograph(place / "images" / scene.split / f"{scene.name}.jpg", scene)
        image(place / "annotations" / scene.split / f"{scene.name}.png", scene.codes())
    lines = [f"{i}\t0.1\t10\t1\t{LABELS.get(i, f'thing {i}')}" for i in range(1, 151)]
    (place / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *lines, ""]))
    listed = [f"{scene.name} {scene.room}" for scene in of or scenes()]
    (place / "sceneCategories.txt").write_text("\n".join([*listed, "ADE_val_00009999 misc", ""]))
    return place


def full(root: Path, year: int, of: list[Scene] | None = None) -> Path:
    """ADE20K_2016_07_26/ or ADE20K_2021_17_01/."""
    place = root / {2016: "ADE20K_2016_07_26", 2021: "ADE20K_2021_17_01"}[year]
    for scene in of or scenes():
        middle = f"{scene.room[0]}" if year == 2016 else "home_or_hotel"
        above = place / "images" if year == 2016 else place / "images" / "ADE"
        folder = above / scene.split / middle / scene.room
        photograph(folder / f"{scene.name}.jpg", scene)
        shown = [int(code) for code in np.unique(scene.codes()) if code]
        image(folder / f"{scene.name}_seg.png", segmentation(scene, shown))
        image(folder / f"{scene.name}_parts_1.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        if year == 2016:
            lines = [f'{i:03d} # 0 # 0 # {LABELS[c]} # {LABELS[c]} # "old"' for i, c in enumerate(shown, 1)]
            text = "\n".join([*lines, '001 # 1 # 0 # leg # "l\xe9g # ""', ""])
            (folder / f"{scene.name}_atr.txt").write_bytes(text.encode("latin-1"))
        else:
            content = {"annotation": {"object": [entry(code) for code in shown[::-1]] + [entry(20, level=1)]}}
            (folder / f"{scene.name}.json").write_text(json.dumps(content))
    return place


def segmentation(scene: Scene, shown: list[int]) -> np.ndarray:
    """Red and green code the class, blue the instance, in the order of classes."""
    codes, found = scene.codes(), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for i, code in enumerate(shown, 1):
        number = INDEX_2021[LABELS[code]]
        found[codes == code] = (number // 256 * 10, number % 256, round(255 * i / len(shown)))
    return found


def entry(code: int, level: int = 0) -> dict[str, object]:
    """An object of NAME.json."""
    label = LABELS[code]
    return {"name": label, "name_ndx": INDEX_2021[label], "raw_name": label, "parts": {"part_level": level}}


def easy(root: Path, each: int = 3) -> Path:
    """places365_standard/ with a folder for each category."""
    place = root / "places365_standard"
    for scene in scenes(each):
        name = f"{scene.number:08d}" if scene.split == "training" else f"Places365_val_{scene.number:08d}"
        photograph(place / SPLITS[scene.split] / scene.room / f"{name}.jpg", scene)
    return place


def standard(root: Path, each: int = 3) -> Path:
    """data_256/ and val_256/ with the list of the validation split, in `root`."""
    numbers = {"bedroom": 52, "kitchen": 203, "bathroom": 45, "street": 319}
    for scene in scenes(each):
        if scene.split == "training":
            photograph(root / "data_256" / scene.room[0] / scene.room / f"{scene.number:08d}.jpg", scene)
        else:
            photograph(root / "val_256" / f"Places365_val_{scene.number:08d}.jpg", scene)
    lines = [f"Places365_val_{s.number:08d}.jpg {numbers[s.room]}" for s in scenes(each) if s.split == "validation"]
    (root / "places365_val.txt").write_text("\n".join([*lines, "Places365_val_00009999.jpg 165", ""]))
    return root
