"""Write what stands between markers in README.md, from results/, leaderboards/ and docs/reproduction.md.

    python scripts/readme.py

A picture shows a cell with default options and seed 0, fitted anew. What `bench run` prints at its end is computed from
a cell of the results. Findings are lines of leaderboards/claims.csv. The table of the reproduction has the means of
interpretable CNNs on each board. The excerpt is the first table of one board of leaderboards/fauna.md: that of the
metrics that rank. Where none does, it is that of the metrics that screen.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from partbench.cli.closing import closing, print_closing
from partbench.leaderboard.markdown import escape, grid, number
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
NOTES = {
    "Metrics that rank": "The board `fauna/multi:*`, metrics that *rank* explainers there by their cards; others are on"
    " the page. Means over six categories and the seeds, in brackets the rank interval. **Bold**: no explainer is"
    " surely better.",
    "Metrics that screen": "The board `fauna/multi:*`. No metric ranks explainers there by its card. These *screen*: a"
    " bad score is evidence against an explainer, a good one is none for it. Means over six categories and the seeds.",
}
_MARKS = (
    "°: one seed. †: not surely better than every floor. ‡: the maps are no better than floors'. *best floor*: sees"
    " nothing of what the network makes of an image. *truth*: explanations made from the truth. —: no value."
)
REPRODUCED = "interp_cnn against top_conv (network=ordinary)"
OF_REPRODUCTIONS = (
    "ratio", "following, share of the gain", "P ordinary", "P", "O1 ordinary", "O1", "less ordinary, points", "seeds",
)  # fmt: skip
RUN = ("srae", "fauna/multi:bird")
IN_RUN = (
    "accuracy", "average_precision", "balanced_accuracy", "classification_error", "faithfulness_regression",
    "relative_deviation",
)  # fmt: skip
FINDINGS = (
    ("icnn-instability",), ("icnn-interpretability",), ("autoencoder-instability",), ("additive-entropy",),
    ("srae-nn-orthogonality", "srae-nn-regression"),
)  # fmt: skip
AGAINST = ("does not", "setting not reproduced")
PAPERS = {
    "interpretable-cnn": "interpretable CNNs", "explainer-autoencoder": "explainer auto-encoders",
    "additive-explainer": "additive explainer", "srae": "SRAE",
}  # fmt: skip
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
    text = place(text, "run", f"```text\n{ended(rows).rstrip()}\n```")
    text = place(
        text,
        "findings",
        findings(pd.read_csv(REPOSITORY / "leaderboards" / "claims.csv", dtype=str, keep_default_na=False)),
    )
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


def findings(claims: pd.DataFrame) -> str:
    """Five findings to quote; then the claims that fail or whose setting is not reproduced, and how many are open."""
    lines = claims[(claims["role"] == "claim") & (claims["measured"] != "")]
    quoted = [_finding(place, lines[lines["claim"].isin(names)]) for place, names in enumerate(FINDINGS, 1)]
    count = lines["verdict"].value_counts()
    told = ", ".join(f"{number} *{verdict}*" for verdict, number in count.items())
    against = [
        f"- {escape(row['claimed'])} ({escape(PAPERS[row['paper']])}; {_compared(row)}): {_measured(row)}"
        for verdict in AGAINST
        for row in lines[lines["verdict"] == verdict].to_dict("records")
    ]
    total = f"Of {len(lines)} lines of the ledger that have a number: {told}. Those that fail or are not reproduced:"
    return "\n\n".join([*quoted, total, "\n".join(against), _tried(claims, lines)])


def _finding(place: int, lines: pd.DataFrame) -> str:
    """Claims of one paper, each with its boards below it."""
    blocks = []
    for claimed, of in lines.groupby("claimed", sort=False):
        rows = of.sort_values("board").to_dict("records")
        source = f"{escape(PAPERS[rows[0]['paper']])}, {escape(rows[0]['source'])}"
        head = f"*{escape(claimed)}* ({source}; {_compared(rows[0])})."
        blocks.append("\n".join([head, *(f"- {_measured(row)}" for row in rows)]))
    return f"{place}. " + textwrap.indent("\n\n".join(blocks), "   ").lstrip()


def _compared(row: Mapping[Hashable, Any]) -> str:
    """What the number of a line is: the metric, and the explainers whose ratio or difference it is."""
    sides = [f"`{row[side]}`" for side in ("explainer", "other") if row[side]]
    return f"`{row['metric']}`, {(' / ' if row['unit'] == 'ratio' else ' - ').join(sides)}"


def _measured(row: Mapping[Hashable, Any]) -> str:
    """A line of the ledger: the board, the number with its interval, what is published, the verdict and its reason."""
    value, low, high = (number(float(row[name])) for name in ("measured", "low", "high"))
    seeds = " °" if row["one_seed"] == "True" else ""
    published = f", published {number(float(row['published']))}" if row["published"] else ""
    size = f", {row['size']}" if row["size"] else ""
    why = f": {row['lacks']}" if row["lacks"] else ""
    tasks = len(row["tasks"].split())
    board = f"`{row['board']}` ({tasks} {'task' if tasks == 1 else 'tasks'})"
    return (
        f"{board}: {row['unit']} {value} [{low}, {high}]{seeds}{published}; **{row['verdict']}**{escape(size + why)}."
    )


def _tried(claims: pd.DataFrame, lines: pd.DataFrame) -> str:
    """By claim that fails or is not reproduced in `lines`: with how many of the other options it holds, and where."""
    open_claims = lines.loc[lines["verdict"].isin(AGAINST), "claim"].unique()
    tried = claims[claims["claim"].isin(open_claims) & claims["role"].isin(["option", "ablation"])]
    told = [
        f"- {escape(claimed)}: {(of['verdict'] == 'holds').sum()} of {len(of)} on {_boards(of)}."
        for claimed, of in tried.groupby("claimed", sort=False)
    ]
    where = "[the ledger](leaderboards/claims.md), *Which settings carry the effect*"
    head = f"Other options of the methods were tried on these claims. Each holds with so many of them ({where}):"
    return "\n".join([head, "", *told]) if told else ""


def _boards(lines: pd.DataFrame) -> str:
    return " and ".join(f"`{board}`" for board in lines["board"].unique())


def excerpt(page: str) -> str:
    """The table of one board with the metrics that rank or, said plainly, with those that screen where none ranks."""
    board = re.search(rf"^## {re.escape(escape(BOARD))}\n(.*?)(?=^## |\Z)", page, re.S | re.M)
    tables = dict(re.findall(r"^### ([^\n]+)\n\n(\|.*?)(?:\n\n|\Z)", board[1], re.S | re.M)) if board else {}
    found = next((kind for kind in NOTES if kind in tables), None)
    if found is None:
        sys.exit(f"leaderboards/fauna.md has no scores of {BOARD}; run `bench leaderboard`")
    return f"{NOTES[found]} {_MARKS} [All boards](leaderboards/fauna.md).\n\n{tables[found].strip()}"


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
