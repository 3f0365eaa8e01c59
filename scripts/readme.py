"""Puts pictures and the leaderboard excerpt into README, from results and leaderboards as they are.

    python scripts/readme.py

The pictures are of cells with default options and seed 0, refitted; the excerpt is the overview of
one board of leaderboards/fauna.md.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from partbench.leaderboard.markdown import escape
from partbench.results.store import load_results

REPOSITORY = Path(__file__).resolve().parents[1]


class Picture(NamedTuple):
    """A place in README: the cell drawn, which of the files of `bench show`, where to keep it, and what to say."""

    explainer: str
    task: str
    suffix: str
    shown: str
    caption: str


BOARD = "fauna/multi:*"
METRICS = (
    "faithfulness_regression", "relative_deviation", "part_effect_agreement", "location_instability", "part_following",
    "accuracy",
)  # fmt: skip
# README says why: their settings are not yet those of the papers.
WITHDRAWN = ("interp_cnn", "autoencoder", "autoencoder_cls", "additive", "additive_no_prior")
PICTURES = {
    "picture": Picture(
        "srae", "fauna/multi:bird", "", "docs/srae-fauna-bird.png",
        "What `srae` shows of `fauna/multi:bird` (test images, seed 0): the image with its parts, Excitation BP on the"
        " logit, and the x-features with their contributions.",
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
    rows = load_results(REPOSITORY / "results", datasets=["fauna"])
    for name, picture in PICTURES.items():
        draw(picture, rows)
        text = place(text, name, f"![{picture.caption}]({picture.shown})\n\n*{picture.caption}*")
    readme.write_text(place(text, "leaderboard", excerpt((REPOSITORY / "leaderboards" / "fauna.md").read_text())))


def draw(picture: Picture, rows: pd.DataFrame) -> None:
    """The picture of the newest cell with default options and seed 0, by the same command that users have."""
    wanted = {"explainer": picture.explainer, "task": picture.task, "variant": "", "seed": 0}
    cells = rows[(rows[list(wanted)] == pd.Series(wanted)).all(axis=1)].sort_values("created_at")
    if cells.empty:
        sys.exit(f"no results of {picture.explainer} on {picture.task}; run `bench run --plugin {picture.explainer}`")
    with tempfile.TemporaryDirectory() as folder:
        words = ["show", cells["cell"].iloc[-1], "--images", "4", "--out", f"{folder}/cell.png"]
        subprocess.run([sys.executable, "-m", "partbench", *words], check=True, cwd=REPOSITORY)
        shutil.copyfile(f"{folder}/cell{picture.suffix}.png", REPOSITORY / picture.shown)


def excerpt(page: str) -> str:
    """The overview table of one board, the columns that say most."""
    heading = re.escape(f"## {escape(BOARD)}")
    found = re.search(rf"^{heading}\n.*?^### Overview\n\n(.*?)\n\n(\|.*?)\n\n", page, re.S | re.M)
    if found is None:
        sys.exit(f"leaderboards/fauna.md has no overview of {BOARD}; run `bench leaderboard`")
    note = "Mean over six categories and the seeds that the page lists, ± half the 95 % interval;"
    note += " **bold**: not separated from the best;"
    rows = [line.strip("|").split("|") for line in found[2].splitlines()]
    kept = [0, *(at for name in METRICS for at, heading in enumerate(rows[0]) if heading.split()[0] == name)]
    rows = [row for row in rows if "," not in row[0]]  # no more than one option apart from the default
    rows = [row for row in rows if row[0].split()[0].strip("*") not in WITHDRAWN]
    table = "\n".join(f"|{'|'.join(row[at] for at in kept)}|" for row in rows)
    return f"{note} †: not separated from the best floor. [All metrics](leaderboards/fauna.md).\n\n{table}"


def place(text: str, name: str, content: str) -> str:
    """The text with what stands between the markers of that name replaced."""
    marked = re.compile(rf"(<!-- {name} -->).*?(<!-- /{name} -->)", re.S)
    return marked.sub(lambda found: f"{found[1]}\n{content}\n{found[2]}", text)


if __name__ == "__main__":
    main()
