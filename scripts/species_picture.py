"""Draw docs/species.png: one bird of each species of fauna_species, in the order of the truth table.

python scripts/species_picture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from partbench.datasets.fauna.render import render
from partbench.datasets.fauna_species.scene import draw_species_scene
from partbench.datasets.fauna_species.species import SPECIES

PATH = Path(__file__).resolve().parents[1] / "docs" / "species.png"
SEED, SIZE, COLUMNS, COLOURS = 35, 200, 4, 256


def main() -> None:
    """Write the picture."""
    images = [render(SEED, index, SIZE, scene_of=draw_species_scene).image for index in range(len(SPECIES))]
    rows = [np.hstack(images[start : start + COLUMNS]) for start in range(0, len(images), COLUMNS)]
    Image.fromarray(np.vstack(rows)).quantize(COLOURS).save(PATH, optimize=True)


if __name__ == "__main__":
    main()
