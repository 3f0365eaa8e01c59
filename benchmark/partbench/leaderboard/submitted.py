"""What others submitted, as plain data: self-reported scores, which are on no board, and the history of each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from partbench.leaderboard.boards import board_of
from partbench.leaderboard.current import current
from partbench.leaderboard.means import means
from partbench.leaderboard.origins import told_apart
from partbench.results.plain_text import printable
from partbench.results.schema import label
from partbench.results.submission_history import COLUMN, SELF_REPORTED, VERIFIED, SubmissionEvent

MARK = "◇"


@dataclass(frozen=True)
class SelfReportedScore:
    """An explainer in one metric on one board, as whoever submitted it says; `value` is a mean as on boards."""

    board: str
    explainer: str
    label: str
    metric: str
    higher_is_better: bool
    value: float
    coverage: str
    seeds: str
    images: int


@dataclass(frozen=True)
class CellEvent:
    """An event of the history of a cell, and what the cell is of."""

    cell: str
    board: str
    explainer: str
    label: str
    task: str
    seed: int
    status: str
    at: str
    by: str
    reason: str


@dataclass(frozen=True)
class Submitted:
    """All that was submitted to a folder of results: scores as boards have them, events by cell, the latest last."""

    scores: Sequence[SelfReportedScore] = ()
    events: Sequence[CellEvent] = ()

    @property
    def explainers(self) -> list[str]:
        """Names of explainers that were submitted."""
        return sorted({score.explainer for score in self.scores} | {event.explainer for event in self.events})

    def of(self, board: str | None = None, explainer: str | None = None) -> Submitted:
        """What is of a board, and of an explainer."""

        def wanted(one: SelfReportedScore | CellEvent) -> bool:
            return board in (None, one.board) and explainer in (None, one.explainer)

        scores = [score for score in self.scores if wanted(score)]
        return Submitted(scores, [event for event in self.events if wanted(event)])


def submitted(frame: pd.DataFrame, history: Sequence[SubmissionEvent]) -> Submitted:
    """What the rows of `load_results` and the events of their history say; texts become printable."""
    if not history or COLUMN not in frame:
        return Submitted()
    rows = with_names(frame)
    return Submitted(_scores(self_reported(rows)), _events(rows, history))


def self_reported(frame: pd.DataFrame) -> pd.DataFrame:
    """The self-reported rows, chosen and named by themselves as `current` does with those that take part."""
    rows = with_names(frame)
    return current(rows[rows[COLUMN] == SELF_REPORTED].assign(**{COLUMN: VERIFIED}))


def with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows whose explainers are called as boards would call them, if all rows took part."""
    owners = frame[["explainer", "distribution"]].astype(object).fillna("")
    names = told_apart(owners.drop_duplicates().itertuples(index=False, name=None))
    return frame.assign(explainer=[names[owner] for owner in owners.itertuples(index=False, name=None)])


def _scores(rows: pd.DataFrame) -> list[SelfReportedScore]:
    return [
        SelfReportedScore(
            str(row["board"]), printable(row["explainer"]), printable(label(row["explainer"], row["variant"])),
            printable(row["metric"]), bool(row["higher_is_better"]), float(row["value"]), str(row["coverage"]),
            str(row["seeds"]), int(row["images"]),
        )
        for row in means(rows).to_dict("records")
        if not (pd.isna(row["higher_is_better"]) or "@" in row["metric"] or pd.isna(row["value"]))
    ]  # fmt: skip


def _events(rows: pd.DataFrame, history: Sequence[SubmissionEvent]) -> list[CellEvent]:
    known = rows[rows["cell"].isin({event.cell for event in history})].drop_duplicates("cell")
    of_cell = {str(row["cell"]): row for row in known.to_dict("records")}
    return [
        CellEvent(
            event.cell, board_of(row["task"]), printable(row["explainer"]),
            printable(label(row["explainer"], row["variant"])), printable(row["task"]), int(row["seed"]),
            event.status, event.at, printable(event.by), printable(event.reason),
        )
        for event in sorted(history, key=lambda event: (event.cell, event.at))
        if (row := of_cell.get(event.cell)) is not None
    ]  # fmt: skip
