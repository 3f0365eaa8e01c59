"""Write what stands between markers in README.md, from results/, leaderboards/ and docs/reproduction.md.

    python scripts/readme.py

A picture shows a cell with default options and seed 0, fitted anew. What `bench run` prints at its end is computed from
a cell of the results. Findings are lines of the ledger of claims, without those in metrics that their cards say not to
use. The table of the reproduction has the means of
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
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from partbench.cli.closing import closing, print_closing
from partbench.leaderboard.claims_on_boards import CLAIM, OPTION
from partbench.leaderboard.current import ABLATION
from partbench.leaderboard.ledger_line import FAILS, HOLDS, NOT_REPRODUCED, LedgerLine, by_claim, with_cards
from partbench.leaderboard.markdown import escape, grid, number
from partbench.leaderboard.metric_cards.card import Cards
from partbench.leaderboard.sources import Sources
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
    ("icnn-instability",), ("icnn-interpretability",), ("autoencoder-instability",), ("additive-error",),
    ("srae-nn-orthogonality", "srae-nn-regression"),
)  # fmt: skip
AGAINST = (FAILS, NOT_REPRODUCED)
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
    sources = Sources.of(REPOSITORY / "results")
    text = place(text, "findings", findings(with_cards(sources.ledger, Cards(sources).uses)))
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


def findings(ledger: Sequence[LedgerLine]) -> str:
    """Five findings to quote; then the claims that fail or whose setting is not reproduced, and how many are open.

    Lines in metrics that their cards say not to use are counted only.
    """
    every = [line for line in ledger if line.role == CLAIM and line.measured]
    lines = [line for line in every if not line.in_unfit_metric]
    quoted = [
        _finding(place, [line for line in lines if line.claim.id in ids]) for place, ids in enumerate(FINDINGS, 1)
    ]
    count = Counter(line.told for line in lines)
    told = ", ".join(f"{number} *{verdict}*" for verdict, number in count.most_common())
    open_lines = [line for line in lines if line.verdict in AGAINST or line.turned_by]
    against = [of for verdict in (*AGAINST, HOLDS) for of in by_claim(_of(verdict, open_lines))]
    total = f"{_unfit(every)} The other {len(lines)}: {told}. Those that fail, are not reproduced or depend on options:"
    return "\n\n".join([*quoted, total, "\n".join(map(_listed, against)), _tried(ledger, open_lines)])


def _of(verdict: str, lines: Sequence[LedgerLine]) -> list[LedgerLine]:
    return [line for line in lines if line.verdict == verdict]


def _unfit(lines: Sequence[LedgerLine]) -> str:
    """How many of the lines are in metrics that their cards say not to use, by metric."""
    names = Counter(line.claim.metric.partition("@")[0] for line in lines if line.in_unfit_metric)
    told = ", ".join(f"{number} in `{name}`" for name, number in sorted(names.items()))
    return (
        f"Of {len(lines)} lines of the ledger that have a number, {names.total()} are in metrics of which the"
        f" [card](leaderboards/metrics/README.md) says *do not use here* ({told}): the ledger marks them §, and nothing"
        " is concluded from them."
    )


def _listed(lines: Sequence[LedgerLine]) -> str:
    """The lines of a claim that have one verdict: the claim, then each board."""
    first = lines[0]
    head = f"- {escape(first.claim.says)} ({escape(PAPERS[first.claim.paper])}; {_compared(first)}):"
    boards = [_measured(line) for line in lines]
    return f"{head} {boards[0]}" if len(boards) == 1 else "\n".join([head, *(f"  - {board}" for board in boards)])


def _finding(place: int, lines: Sequence[LedgerLine]) -> str:
    """Claims of one paper, each with its boards below it."""
    blocks = []
    for of in by_claim(lines):
        claim = of[0].claim
        source = f"{escape(PAPERS[claim.paper])}, {escape(claim.source)}"
        by_board = sorted(of, key=attrgetter("board"))
        head = f"*{escape(claim.says)}* ({source}; {_compared(by_board[0])})."
        blocks.append("\n".join([head, *(f"- {_measured(line)}" for line in by_board)]))
    return f"{place}. " + textwrap.indent("\n\n".join(blocks), "   ").lstrip()


def _compared(line: LedgerLine) -> str:
    """What the number of a line is: the metric, and the explainers whose ratio or difference it is."""
    sides = [f"`{side}`" for side in (line.explainer, line.other) if side]
    return f"`{line.claim.metric}`, {(' / ' if line.unit == 'ratio' else ' - ').join(sides)}"


def _measured(line: LedgerLine) -> str:
    """A line of the ledger: the board, the number with its interval, what is published, the verdict and its reason."""
    found = line.measured
    assert found is not None
    value, low, high = map(number, (found.value, found.low, found.high))
    marks = f"{' °' if found.one_seed else ''}{' †' if line.floors else ''}"
    published = f", published {number(line.published.value)}" if line.published else ""
    size = f", {line.size}" if line.size else ""
    remark = line.lacks or line.turned
    why = f": {remark}" if remark else ""
    tasks = len(line.tasks)
    board = f"`{line.board}` ({tasks} {'task' if tasks == 1 else 'tasks'})"
    return f"{board}: {line.unit} {value} [{low}, {high}]{marks}{published}; **{line.told}**{escape(size + why)}."


def _tried(ledger: Sequence[LedgerLine], lines: Sequence[LedgerLine]) -> str:
    """By claim of `lines`: with how many of the other options it holds, and where."""
    open_claims = {line.claim for line in lines}
    tried = [line for line in ledger if line.claim in open_claims and line.role in (OPTION, ABLATION)]
    told = [
        f"- {escape(of[0].claim.says)}: {sum(line.verdict == HOLDS for line in of)} of {len(of)} on {_boards(of)}."
        for of in by_claim(tried)
    ]
    where = "[the ledger](leaderboards/claims.md), *Which settings carry the effect*"
    head = f"Other options of the methods were tried on these claims. Each holds with so many of them ({where}):"
    return "\n".join([head, "", *told]) if told else ""


def _boards(lines: Sequence[LedgerLine]) -> str:
    return ", ".join(dict.fromkeys(f"`{line.board}`" for line in lines))


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
