"""A tiny folder in the official layout of CUB-200-2011: three species, ids that are not consecutive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from partbench.datasets.cub.layout import LANDMARKS

SPECIES = {2: "002.Laysan_Albatross", 5: "005.Crested_Auklet", 200: "200.Common_Yellowthroat"}
WIDTH, HEIGHT = 60, 40  # px of every photograph


@dataclass(frozen=True)
class Bird:
    """A photograph: x of its landmarks is `x` + part number, their y is 10; odd parts are invisible."""

    id: int
    species: int
    training: bool
    x: int
    box: tuple[float, float, float, float] = (11.0, 5.0, 30.0, 20.0)

    @property
    def name(self) -> str:
        return f"{SPECIES[self.species]}/{SPECIES[self.species][4:]}_{self.id:04d}_7.jpg"


BIRDS = [Bird(3 + 7 * i, list(SPECIES)[i // 4], i % 2 == 0, 12 + i) for i in range(12)]


def photograph(path: Path, grey: bool = False, level: int = 0) -> None:
    """A white square of 3 px with its centre on the 7th pixel from the left and the 10th from above, on dark grey."""
    image = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    image[8:11, 5:8] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., 0] if grey else image, [cv2.IMWRITE_JPEG_QUALITY, 98])


def write(root: Path, birds: list[Bird] | None = None) -> Path:
    """The folder CUB_200_2011/ of these birds in `root`; the first photograph is grey."""
    birds, place = birds or BIRDS, root / "CUB_200_2011"
    for i, bird in enumerate(birds):
        photograph(place / "images" / bird.name, grey=i == 0, level=8 * i)
    (place / "parts").mkdir(parents=True)
    texts = {
        "classes.txt": [f"{number} {name}" for number, name in SPECIES.items()],
        "images.txt": [f"{bird.id} {bird.name}" for bird in birds],
        "image_class_labels.txt": [f"{bird.id} {bird.species}" for bird in birds],
        "train_test_split.txt": [f"{bird.id} {int(bird.training)}" for bird in birds],
        "bounding_boxes.txt": [f"{bird.id} {' '.join(map(str, bird.box))}" for bird in birds],
        "parts/parts.txt": [f"{i + 1} {name.replace('_', ' ')}" for i, name in enumerate(LANDMARKS)],
        "parts/part_locs.txt": [
            f"{bird.id} {part} " + (f"{bird.x + part}.0 10.0 1" if part % 2 == 0 else "0.0 0.0 0")
            for bird in birds
            for part in range(1, 16)
        ],
    }
    for name, lines in texts.items():
        (place / name).write_text("\n".join(lines) + "\n")
    return place
