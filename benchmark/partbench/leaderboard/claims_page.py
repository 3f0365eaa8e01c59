"""The ledger of claims as a page in GitHub Markdown and as comma-separated values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from partbench.leaderboard.boards import kind_of
from partbench.leaderboard.claims import COLUMNS, VERDICTS
from partbench.leaderboard.claims_lines import CLAIM, READING, command
from partbench.leaderboard.claims_stated import stated
from partbench.leaderboard.current import ABLATION
from partbench.leaderboard.generated import as_csv
from partbench.leaderboard.markdown import ABSENT, escape, grid, number
from partbench.results.schema import slug

Row = Mapping[Hashable, Any]
TITLE = "# What the papers claim, and what was measured here"
_READING = """\
A line is a claim on a board: what a paper publishes, and what the committed results say of it in the setting of that
board, which is never quite the paper's. The rules are in [docs/claims.md](../docs/claims.md).

- *holds*: surely in the claimed direction. *does not*: surely in the opposite direction. *not separated*: the results
  exclude neither. *not comparable*: both explainers have values on less than 90 % of the images. *setting not
  reproduced*: there are no results, a check of our own fails, or the direction depends on options of the method.
- Surely: p below .05 by Holm's method over all claims that can be tested. Intervals are 95 % intervals over images and
  seeds, for these categories and networks, not adjusted. °: one seed; it holds for this training alone.
- Published: mean over the paper's networks, with their range; where the paper did not use our data, over all of its
  own. Size: whether the interval of an effect that holds meets the published range.
- †: these explainers are not surely better than every floor in the metric of the line.

[claims.csv](claims.csv) has all lines, and names the files of results that each is made from."""
_OPTIONS = """\
Other readings of the metric and other options of the paper's explainer, each against what is trained alike. Defaults:
what the default options give on the same tasks. p is adjusted over all lines of these tables, those of one seed (°)
apart."""
_CHECKED = """\
Means over tasks and seeds. Nothing is concluded where a network is at chance, most filters are dead, the filter loss
has no gradient, features are not rebuilt, or a single feature is alive. A bias is in units of the logit."""
_UNIT = {"ratio": "ratio ", "difference": "difference ", "value": ""}


def claims_page(ledger: pd.DataFrame) -> str:
    """The page, from `claims.ledger`."""
    lines = ledger[ledger["role"] == CLAIM]
    parts = [TITLE, _READING, _counts(lines), "## Settings", _settings(lines)]
    for name, paper in stated().papers.items():
        of_paper = ledger[ledger["paper"] == name]
        parts += [f"## {escape(paper.title)}", paper.differs]
        parts += _measured(of_paper[(of_paper["role"] == CLAIM) & of_paper["measured"].notna()])
        parts += _checks(of_paper[(of_paper["role"] == CLAIM) & of_paper["measured"].notna()])
        parts += _varied(of_paper[of_paper["role"] != CLAIM])
        parts += _absent(of_paper[(of_paper["role"] == CLAIM) & of_paper["measured"].isna()])
    return "\n\n".join(parts) + "\n"


def claims_csv(ledger: pd.DataFrame) -> str:
    """All lines and columns; the files of a line are separated by spaces."""
    return as_csv(ledger.assign(cells=[" ".join(files) for files in ledger["cells"]])[COLUMNS])


def _counts(lines: pd.DataFrame) -> str:
    """How many claims of each paper were measured anywhere, and the verdicts of the lines that were."""
    known, rows = lines[lines["measured"].notna()], []
    for name, paper in stated().papers.items():
        claims, mine = lines[lines["paper"] == name]["claim"].nunique(), known[known["paper"] == name]
        counts = [int((mine["verdict"] == verdict).sum()) for verdict in VERDICTS]
        rows.append([escape(paper.title), f"{mine['claim'].nunique()} of {claims}", str(len(mine)), *map(str, counts)])
    return grid(["paper", "claims measured", "lines", *VERDICTS], rows)


def _settings(lines: pd.DataFrame) -> str:
    """The datasets and kinds of boards that the lines are about."""
    said = stated()
    kinds = set(map(kind_of, lines["board"]))
    about = [f"- `{name}`: {escape(data.about)}." for name, data in said.datasets.items()]
    return "\n".join([*about, *(f"- `{kind}`: {escape(text)}." for kind, text in said.kinds.items() if kind in kinds)])


def _measured(rows: pd.DataFrame) -> list[str]:
    if rows.empty:
        return []
    columns = ["claim", "published", "board", "measured", "verdict", "size", "p", "seeds", "images", "runs", "remarks"]
    cells, before = [], ""
    for row in rows.to_dict("records"):
        claim = f"{escape(row['claimed'])} ({escape(row['source'])})" if row["claim"] != before else ""
        before = row["claim"]
        about = [row["seeds"], str(row["images"]) if row["images"] else ABSENT, _runs(row)]
        floors = f"†: {row['floors']}" if row["floors"] else ""
        remarks = escape("; ".join(filter(None, [row["lacks"], floors]))) or ABSENT
        shown = [_number(row), _verdict(row), row["size"] or ABSENT, _p(row["p_adjusted"]), *about, remarks]
        cells.append([claim, _published(row), f"{escape(row['board'])}: {row['setting']}", *shown])
    return [grid(columns, cells)]


def _checks(rows: pd.DataFrame) -> list[str]:
    """What has to be so for a line to speak of the method: each board and explainer once."""
    found = {(row["board"], one) for row in rows.to_dict("records") for one in row["checks"].split("; ") if one}
    if not found:
        return []
    cells = [[escape(board), *map(escape, one.rsplit(": ", 1))] for board, one in sorted(found)]
    return ["### Do networks and losses work here", _CHECKED, grid(["board", "explainer", "measured"], cells)]


def _varied(rows: pd.DataFrame) -> list[str]:
    if rows.empty:
        return []
    columns = ["metric", "board", "explainer", "against", "measured", "defaults", "verdict", "p", "tasks", "seeds"]
    cells = []
    for row in rows.to_dict("records"):
        name = f"{escape(row['explainer'])}{' (ablation)' if row['role'] == ABLATION else ''}"
        default = ABSENT if row["role"] == READING else number(row["defaults"])
        names = [escape(row["metric"]), escape(row["board"]), name, escape(row["other"])]
        about = [_verdict(row), _p(row["p_adjusted"]), _tasks(row), row["seeds"]]
        cells.append([*names, _number(row), default, *about])
    return ["### Which settings carry the effect", _OPTIONS, grid(columns, cells)]


def _absent(rows: pd.DataFrame) -> list[str]:
    """Lines without a number, those of a board together, and the command that would measure them."""
    if rows.empty:
        return []
    cells = []
    for (board, why), group in rows.groupby(["board", rows["lacks"].where(rows["board"] == "", "")], sort=True):
        lacks = escape(why or "; ".join(sorted(set(group["lacks"]))))
        run = f"`{_of_all(group, board)}`" if board else ABSENT
        cells.append([escape(", ".join(sorted(set(group["claim"])))), escape(board) or ABSENT, lacks, run])
    return ["### Not measured", grid(["claims", "board", "what lacks", "to measure"], cells)]


def _of_all(rows: pd.DataFrame, board: str) -> str:
    names = [name for pair in zip(rows["explainer"], rows["other"], strict=True) for name in pair if name]
    return command(dict.fromkeys(names), board)


def _published(row: Row) -> str:
    if pd.isna(row["published"]):
        return ABSENT
    low, high = number(row["published_low"]), number(row["published_high"])
    spread = "" if low == high else f" ({low} to {high})"
    return f"{_UNIT[row['unit']]}{number(row['published'])}{spread}; {escape(row['on'])}"


def _number(row: Row) -> str:
    mark = " °" if row["one_seed"] else ""
    return f"{_UNIT[row['unit']]}{number(row['measured'])} ({number(row['low'])} to {number(row['high'])}){mark}"


def _verdict(row: Row) -> str:
    return f"**{row['verdict']}**" if row["verdict"] in VERDICTS[:2] else str(row["verdict"])


def _p(value: float) -> str:
    if pd.isna(value):
        return ABSENT
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _tasks(row: Row) -> str:
    """How many tasks; a single one is named."""
    names = str(row["tasks"]).split()
    return escape(names[0]) if len(names) == 1 else str(len(names))


def _runs(row: Row) -> str:
    """The number of files that a line is made from, with a link to their folder."""
    folder = slug(str(row["board"]).partition("/")[0])
    return f"[{len(row['cells'])}](../results/{folder})"
