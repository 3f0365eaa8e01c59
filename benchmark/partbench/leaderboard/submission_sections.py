"""What the page of a board says of rows that others submitted: self-reported ones, and the history of all."""

from __future__ import annotations

from collections.abc import Sequence

from partbench.leaderboard.markdown import ABSENT, escape, grid, number
from partbench.leaderboard.submitted import MARK, CellEvent, SelfReportedScore, Submitted

_ABOUT = f"""\
{MARK}: reported by whoever submitted it, and not verified here. Such rows have no rank and are compared with none; no
value above depends on them. `bench verify` runs their cells again."""
_HISTORY = """\
Cells that others submitted, or that were withdrawn: what happened to each, the latest last. A withdrawn cell is on no
board."""


def submission_sections(submitted: Submitted) -> list[str]:
    """Two sections of the page of a board, each left out where there is nothing to say."""
    return [*_self_reported(submitted.scores), *_events(submitted.events)]


def _self_reported(scores: Sequence[SelfReportedScore]) -> list[str]:
    if not scores:
        return []
    columns = ["explainer", "metric", "value", "coverage", "seeds", "images"]
    return ["## Self-reported", _ABOUT, grid(columns, [_shown(score) for score in scores])]


def _shown(score: SelfReportedScore) -> list[str]:
    named = [f"{escape(score.label)} {MARK}", f"{escape(score.metric)} {'↑' if score.higher_is_better else '↓'}"]
    return [*named, number(score.value), score.coverage, score.seeds, str(score.images)]


def _events(events: Sequence[CellEvent]) -> list[str]:
    if not events:
        return []
    columns = ["cell", "explainer", "task", "seed", "status", "at", "by", "reason"]
    lines = [
        [escape(text) or ABSENT
         for text in (one.cell, one.label, one.task, str(one.seed), one.status, one.at, one.by, one.reason)]
        for one in events
    ]  # fmt: skip
    return ["## Submitted cells", _HISTORY, grid(columns, lines)]
