"""Write pictures, what a run prints, and the excerpt of the board into README.md, from results/ and leaderboards/.

    python scripts/readme.py

A picture shows a cell with default options and seed 0, fitted anew. What `bench run` prints at its end is computed from
a cell of the results. The excerpt is the overview table of one board of leaderboards/fauna.md, without the columns and
explainers that are not listed here.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from partbench.cli.closing import closing, print_closing
from partbench.leaderboard.markdown import escape, grid
from partbench.results.store import load_results

REPOSITORY = Path(__file__).resolve().parents[1]


class Picture(NamedTuple):
    """A picture in README: the cell, the suffix of the file of `bench show`, where it is kept, the caption."""

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
REPRODUCED = "interp_cnn against top_conv (network=ordinary)"
OF_REPRODUCTIONS = (
    "ratio", "following, share of the gain", "P ordinary", "P", "O1 ordinary", "O1", "less ordinary, points", "seeds",
)  # fmt: skip
RUN = ("srae", "fauna/multi:bird")
IN_RUN = (
    "accuracy", "average_precision", "balanced_accuracy", "classification_error", "faithfulness_regression",
    "relative_deviation",
)  # fmt: skip
PICTURES = {
    "picture": Picture(
        "srae", "fauna/multi:bird", "", "docs/srae-fauna-bird.png",
        "What `srae` shows of `fauna/multi:bird` (test images, seed 0): the image with its parts, Excitation BP on the"
        " logit, and the x-features with their contributions.",
    ),
}  # fmt: skip


def main() -> None:
    """Draw the pictures, then replace the text between the markers."""
    readme = REPOSITORY / "README.md"
    text = readme.read_text()
    rows = load_results(REPOSITORY / "results", datasets=["fauna"])
    for name, picture in PICTURES.items():
        draw(picture, rows)
        text = place(text, name, f"![{picture.caption}]({picture.shown})\n\n*{picture.caption}*")
    text = place(text, "run", f"    {ended(rows).rstrip()}".replace("\n", "\n    "))
    text = place(text, "leaderboard", excerpt((REPOSITORY / "leaderboards" / "fauna.md").read_text()))
    readme.write_text(place(text, "reproduction", reproduced((REPOSITORY / "docs" / "reproduction.md").read_text())))


def ended(rows: pd.DataFrame) -> str:
    """What `bench run` prints at the end of RUN with default options and seed 0, on 80 columns; few metrics."""
    explainer, task = RUN
    wanted = {"explainer": explainer, "task": task, "variant": "", "seed": 0, "status": "ok"}
    cells = rows[(rows[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    last = cells[cells["cell"] == cells.sort_values("created_at")["cell"].iloc[-1]]
    found = closing(last[~last["metric"].str.contains("@")], [REPOSITORY / "results" / last["file"].iloc[0]])
    lines = [line for line in found.lines if line.metric in IN_RUN]
    printed, stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), sys.stdout
    try:
        sys.stdout = printed
        print_closing(found._replace(lines=lines), 80)
        printed.flush()
    finally:
        sys.stdout = stdout
    text = printed.buffer.getvalue().decode()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())


def draw(picture: Picture, rows: pd.DataFrame) -> None:
    """Draw the newest cell with default options and seed 0, by `bench show`."""
    wanted = {"explainer": picture.explainer, "task": picture.task, "variant": "", "seed": 0}
    cells = rows[(rows[list(wanted)] == pd.Series(wanted)).all(axis=1)].sort_values("created_at")
    if cells.empty:
        sys.exit(f"no results of {picture.explainer} on {picture.task}; run `bench run --plugin {picture.explainer}`")
    with tempfile.TemporaryDirectory() as folder:
        words = ["show", cells["cell"].iloc[-1], "--images", "4", "--out", f"{folder}/cell.png"]
        subprocess.run([sys.executable, "-m", "partbench", *words], check=True, cwd=REPOSITORY)
        shutil.copyfile(f"{folder}/cell{picture.suffix}.png", REPOSITORY / picture.shown)


def excerpt(page: str) -> str:
    """The overview table of one board, reduced to the columns METRICS and to few rows."""
    heading = re.escape(f"## {escape(BOARD)}")
    found = re.search(rf"^{heading}\n.*?^### Overview\n\n(.*?)\n\n(\|.*?)\n\n", page, re.S | re.M)
    if found is None:
        sys.exit(f"leaderboards/fauna.md has no overview of {BOARD}; run `bench leaderboard`")
    note = "Mean over six categories and the seeds listed on the page, ± half the width of the 95 % interval."
    note += " **Bold**: no explainer is surely better. °: one seed."
    note += " †: not surely better than every floor. ‡: the maps are no better than floors'. —: no value."
    rows = [line.strip("|").split("|") for line in found[2].splitlines()]
    kept = [0, *(at for name in METRICS for at, heading in enumerate(rows[0]) if heading.split()[0] == name)]
    rows = [row for row in rows if "," not in row[0]]  # no more than one option apart from the default
    table = "\n".join(f"|{'|'.join(row[at] for at in kept)}|" for row in rows)
    return f"{note} [All metrics](leaderboards/fauna.md).\n\n{table}"


def reproduced(page: str) -> str:
    """Of each board that compares interpretable CNNs with ordinary ones, the last row: its mean."""
    found, heading = [], rf"^### (\S+): {re.escape(escape(REPRODUCED))}\n"
    for board, table in re.findall(rf"{heading}\n(.*?)(?=^#|\Z)", page, re.S | re.M):
        lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
        means = dict(zip((name.strip() for name in lines[0]), (cell.strip() for cell in lines[-1]), strict=True))
        found.append([board, *(means[name] for name in OF_REPRODUCTIONS)])
    return grid(["board", *OF_REPRODUCTIONS], found)


def place(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers `<!-- name -->` and `<!-- /name -->`."""
    marked = re.compile(rf"(<!-- {name} -->).*?(<!-- /{name} -->)", re.S)
    return marked.sub(lambda found: f"{found[1]}\n{content}\n{found[2]}", text)


if __name__ == "__main__":
    main()
