"""Draw docs/pictures/<explainer>.png: what each explainer shows of two rendered birds, with default options and seed 0.

    python scripts/explainer_pictures.py [NAME ...]

Explainers are fitted anew; networks in the cache are used again. Only `fauna` is drawn, because photographs belong to
their owners.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from partbench.opening import Workbench
from partbench.pictures.sheet import draw
from partbench.pictures.view import choose_images, view
from partbench.registry import FIRST_PARTY, load
from partbench.running.cell import fit
from partbench.types import NotApplicable

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
TASKS = ("fauna/multi:bird", "fauna/bird")  # the first one that the explainer applies to
IMAGES, WIDTH, COLOURS = 2, 1000, 256


def main(names: list[str]) -> None:
    """Draw these explainers, or all that come with partbench; those without maps have no picture."""
    registry = load()
    ours = [name for name, entry in registry.explainers.items() if entry.distribution == FIRST_PARTY]
    workbench = Workbench(registry)
    FOLDER.mkdir(exist_ok=True)
    for name in names or ours:
        print(name, drawn(workbench, name), flush=True)


def drawn(workbench: Workbench, name: str) -> str:
    """The picture of an explainer, or why there is none."""
    explainer = workbench.registry.find("explainers", name).cls()
    for task in TASKS:
        try:
            opened = workbench.task(task).with_seed(0)
            fit(explainer, opened)
        except NotApplicable:
            continue
        seen = view(workbench, opened, explainer, choose_images(opened, IMAGES))
        if not seen.explanation.has("maps"):
            return "has no maps"
        with tempfile.TemporaryDirectory() as folder:
            return str(small(draw(seen, Path(folder) / "sheet.png"), FOLDER / f"{name}.png"))
    return f"applies to none of {', '.join(TASKS)}"


def small(sheet: Path, path: Path) -> Path:
    """A copy at most WIDTH px wide, with a palette."""
    with Image.open(sheet) as image:
        image = image.convert("RGB")
        image.thumbnail((WIDTH, WIDTH))
        image.quantize(COLOURS).save(path, optimize=True)
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
