"""Puts pictures and the leaderboard excerpt into README, from results and leaderboards as they are.

    python scripts/readme.py

The pictures are of cells with default options and seed 0, refitted; the excerpt is the overview of
leaderboards/fauna.md.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]


class Picture(NamedTuple):
    """A place in README: the cell drawn, which of the files of `bench show`, where to keep it, and what to say."""

    explainer: str
    task: str
    suffix: str
    shown: str
    caption: str


METRICS = (
    "faithfulness_regression", "relative_deviation", "contribution_error", "part_effect_agreement",
    "location_instability", "part_following", "part_interpretability", "accuracy",
)  # fmt: skip
PICTURES = {
    "picture": Picture(
        "srae", "fauna/multi:bird", "", "docs/srae-fauna-bird.png",
        "What `srae` shows of `fauna/multi:bird` (test images, seed 0): the image with its parts, Excitation BP on the logit,"
        " and the x-features with their contributions.",
    ),
    "attributes": Picture(
        "additive", "fauna/attribute-wild", "-contributions", "docs/additive-attribute-wild.png",
        "What `additive` says makes an animal wild (seed 0). In truth the odds rise with horns, stripes, spikes and a"
        " mane and fall with a collar and a hat; the network explained cannot tell horns.",
    ),
}  # fmt: skip


def main() -> None:
    """Draw, then rewrite the marked places."""
    readme = REPOSITORY / "README.md"
    text = readme.read_text()
    for name, picture in PICTURES.items():
        draw(picture)
        text = place(text, name, f"![{picture.caption}]({picture.shown})\n\n*{picture.caption}*")
    readme.write_text(place(text, "leaderboard", excerpt((REPOSITORY / "leaderboards" / "fauna.md").read_text())))


def draw(picture: Picture) -> None:
    """The picture, by the same command that users have."""
    cells = (REPOSITORY / "results" / picture.task).glob(f"{picture.explainer}-*.parquet")
    path = next(cell for cell in sorted(cells) if is_default_seed_0(cell))
    with tempfile.TemporaryDirectory() as folder:
        words = ["show", str(path), "--images", "4", "--out", f"{folder}/cell.png"]
        subprocess.run([sys.executable, "-c", "from partbench.cli.main import main; main()", *words], check=True)
        shutil.copyfile(f"{folder}/cell{picture.suffix}.png", REPOSITORY / picture.shown)


def is_default_seed_0(path: Path) -> bool:
    """Whether a cell is of the default options and seed 0."""
    from partbench.results.store import read_cell

    row = read_cell(path).iloc[0]
    return row["seed"] == 0 and row["variant"] == ""


def excerpt(page: str) -> str:
    """The overview table of the categories explained one at a time, the columns that say most."""
    found = re.search(r"^## fauna/single\n.*?^### Overview\n\n(.*?)\n\n(\|.*?)\n\n", page, re.S | re.M)
    if found is None:
        sys.exit("leaderboards/fauna.md has no overview; run `bench leaderboard`")
    note = "Mean over six categories and the seeds that the page lists, ± half the 95 % interval;"
    note += " **bold**: not separated from the best;"
    rows = [line.strip("|").split("|") for line in found[2].splitlines()]
    kept = [0, *(at for name in METRICS for at, heading in enumerate(rows[0]) if heading.split()[0] == name)]
    rows = [row for row in rows if "," not in row[0]]  # no more than one option apart from the default
    table = "\n".join(f"|{'|'.join(row[at] for at in kept)}|" for row in rows)
    return f"{note} †: no better than a control. [All metrics](leaderboards/fauna.md).\n\n{table}"


def place(text: str, name: str, content: str) -> str:
    """The text with what stands between the markers of that name replaced."""
    marked = re.compile(rf"(<!-- {name} -->).*?(<!-- /{name} -->)", re.S)
    return marked.sub(lambda found: f"{found[1]}\n{content}\n{found[2]}", text)


if __name__ == "__main__":
    main()
