"""What the page of a board says of rows that others submitted: self-reported ones, and the history of all."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from partbench.leaderboard.boards import board_of
from partbench.leaderboard.current import current
from partbench.leaderboard.markdown import ABSENT, escape, grid, number
from partbench.leaderboard.means import means
from partbench.results.schema import label
from partbench.results.submission_history import COLUMN, SELF_REPORTED, VERIFIED, SubmissionEvent

MARK = "◇"
_ABOUT = f"""\
{MARK}: reported by whoever submitted it, and not verified here. Such rows have no rank and are compared with none; no
value above depends on them. `bench verify` runs their cells again."""
_HISTORY = """\
Cells that others submitted, or that were withdrawn: what happened to each, the latest last. A withdrawn cell is on no
board."""


def submission_sections(frame: pd.DataFrame, history: Sequence[SubmissionEvent], board: str) -> list[str]:
    """Two sections of a page, each left out where there is nothing to say; `frame` is what `load_results` gives."""
    if not history or COLUMN not in frame:
        return []
    return [*_self_reported(frame, board), *_events(frame, history, board)]


def _self_reported(frame: pd.DataFrame, board: str) -> list[str]:
    own = frame[frame[COLUMN] == SELF_REPORTED]
    rows = current(own.assign(**{COLUMN: VERIFIED}))  # chosen and averaged as if they took part, by themselves
    rows = rows[rows["board"] == board]
    if rows.empty:
        return []
    cells = []
    for row in means(rows).to_dict("records"):
        if pd.isna(row["higher_is_better"]) or "@" in row["metric"] or pd.isna(row["value"]):
            continue
        name = f"{escape(label(row['explainer'], row['variant']))} {MARK}"
        arrow = "↑" if row["higher_is_better"] else "↓"
        about = [row["coverage"], row["seeds"], str(row["images"])]
        cells.append([name, f"{escape(row['metric'])} {arrow}", number(row["value"]), *about])
    return ["## Self-reported", _ABOUT, grid(["explainer", "metric", "value", "coverage", "seeds", "images"], cells)]


def _events(frame: pd.DataFrame, history: Sequence[SubmissionEvent], board: str) -> list[str]:
    known = frame.drop_duplicates("cell").astype({"cell": object, "task": object})
    of_cell = {row.cell: row for row in known.itertuples() if board_of(row.task) == board}
    lines = []
    for event in sorted(history, key=lambda event: (event.cell, event.at)):
        if (row := of_cell.get(event.cell)) is not None:
            who = [event.cell, label(row.explainer, row.variant), row.task, str(row.seed)]
            lines.append([escape(text) or ABSENT for text in (*who, event.status, event.at, event.by, event.reason)])
    if not lines:
        return []
    columns = ["cell", "explainer", "task", "seed", "status", "at", "by", "reason"]
    return ["## Submitted cells", _HISTORY, grid(columns, lines)]
